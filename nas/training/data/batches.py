"""The door of training data: endless batches that a seed and a position determine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from nas.pipelines.conditioning import Conditioning

JSON: TypeAlias = Any  # what `json` writes and reads back as it was


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Captioned pictures of one training step.

    Attributes:
        latents: Scaled as the UNet expects, float32, on any device.
        text: Of their captions, of which dropped ones are empty, with sizes and crops.
        generator: On the CPU, of this step: of noise, then of timesteps.
        pictures: Their names, for messages.
        position: How to continue after this batch; the same on all ranks.
    """

    latents: Float[Tensor, "n c h w"]
    text: Conditioning
    generator: torch.Generator
    pictures: tuple[str, ...]
    position: Mapping[str, JSON]


class TrainingData(Protocol):
    """Captioned pictures, as batches.

    Attributes:
        digest: Of their content.
    """

    @property
    def digest(self) -> str:
        """Of their content."""
        ...

    def batches(
        self,
        *,
        seed: int,
        size: int,
        caption_dropout: float,
        start: int = 0,
        position: Mapping[str, JSON] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> Iterator[Batch]:
        """Endless batches; `start` and the position that came with batch `start - 1` continue exactly.

        The batches of all ranks together are those of one process of size `world * size`: rank r has its rows from
        `r * size` on, and the generator in the state that the whole batch leaves it in.
        """
        ...
