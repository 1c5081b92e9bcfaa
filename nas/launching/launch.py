"""Launch: one training as those see it who start processes for it, whatever it trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from nas.launching.directory import TrainingDirectory
from nas.launching.news import Desk
from nas.training.launching.fleet import Fleet
from nas.training.launching.settings import TrainingWorkers


class Work(Protocol):
    """What each process of a training does."""

    def __call__(self, fleet: Fleet, /, *, device: torch.device, desk: Desk) -> bool:
        """Do it.

        Args:
            fleet: Who trains together.
            device: What this process computes on.
            desk: Who is told.

        Returns:
            Whether the training is done; it is not where somebody stopped it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One training to launch; it travels between processes.

    Attributes:
        folder: What it writes to.
        identity: The settings that its weights follow from, as plain values without places.
        contents: Digests of what stands at the places that it reads, by the setting that names each.
        workers: How many processes, and where.
        device: What they compute on.
        work: What each of them does; must be importable by its name there.
        section: Name of the settings of training in the config, for messages.
    """

    folder: TrainingDirectory
    identity: Mapping[str, Any]
    contents: Mapping[str, str]
    workers: TrainingWorkers
    device: str
    work: Work
    section: str
