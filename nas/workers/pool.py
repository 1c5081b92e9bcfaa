"""The worker pool: one interface, in process or Ray actors behind it, the same results either way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from latency.exporters.extras import load_extra
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationResult, EvaluationTask, EvaluationWorker, WorkerSpec
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet


class WorkerPool(Protocol):
    """Evaluates tasks on workers that all hold the same weights.

    Contract: every task is answered exactly once, in any order; a task that fails raises its own error; the scores
    do not depend on which worker answers.
    """

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Give every worker these weights before it takes another task."""

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        """Results as they arrive."""

    def warm_up(self, task: EvaluationTask, /) -> None:
        """Have every worker do a task once, those included that are still loading."""

    def close(self) -> None:
        """Let the workers go; the pool is of no use afterwards."""


class InProcessPool:
    """One worker in this process; it shares the driver's supernet, so that weights never travel."""

    def __init__(self, spec: WorkerSpec, /, *, supernet: Supernet) -> None:
        self._worker = EvaluationWorker(spec, supernet=supernet)

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Nothing to do: the worker reads the driver's own weights."""

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        """One after the other."""
        for task in tasks:
            yield self._worker.evaluate(task)

    def warm_up(self, task: EvaluationTask, /) -> None:
        """Once."""
        self._worker.evaluate(task)

    def close(self) -> None:
        """Nothing to let go."""


def check_pool(settings: WorkerSettings, /, *, device: str, training_device: str) -> None:
    """Check that a pool can be made: what it needs is installed, and its workers can see what they are to compute on.

    Workers on other machines check their device themselves, when they start.

    Args:
        settings: How many workers, and where.
        device: Where they compute.
        training_device: Where the driver holds the model that it trains.

    Raises:
        MissingExtraError: Ray is not installed, and more than one worker or a cluster was asked for.
        UserError: They cannot have the device.
    """
    if not settings.needs_ray:
        if training_device != device:
            raise UserError(
                f"one process holds one model, but `execution.device` is {device} and `robust_training.device` "
                f"{training_device}; leave out the second, or score in Ray workers (`workers.num_workers`, "
                "`workers.address`)"
            )
        return
    load_extra("ray", extra="ray")
    kind, _, index = device.partition(":")
    if kind == "cuda" and not settings.gpus_per_worker:
        raise UserError(
            f"`execution.device` is {device!r}, but `workers.gpus_per_worker` is 0, and Ray hides GPUs from workers "
            "that ask for none; set it to 1, or to a share such as 0.5 with which two workers have one GPU"
        )
    if kind == "cuda" and int(index or 0) >= max(settings.gpus_per_worker, 1):
        raise UserError(
            f"`execution.device` is {device!r}, but Ray shows each worker only the {settings.gpus_per_worker:g} GPUs "
            "that it asks for, counted from cuda:0; choose cuda"
        )


def make_pool(
    spec: WorkerSpec,
    /,
    *,
    supernet: Supernet,
    settings: WorkerSettings,
    log_folder: Path | None,
    on_start: Callable[[int, int], None],
) -> WorkerPool:
    """A pool in process for one worker without an address, of Ray actors otherwise.

    Args:
        spec: What each worker loads.
        supernet: The driver's, with the weights of the model folder.
        settings: How many, and where.
        log_folder: Where actors write their logs; None = nowhere.
        on_start: Called with (workers ready, workers in all) while they are waited for.

    Raises:
        MissingExtraError: Ray is needed and not installed.
    """
    if not settings.needs_ray:
        return InProcessPool(spec, supernet=supernet)
    load_extra("ray", extra="ray")
    from nas.workers.ray_pool import RayPool

    return RayPool(
        spec,
        worker_class=EvaluationWorker,
        settings=settings,
        base_weights=supernet.weights(),
        log_folder=log_folder,
        on_start=on_start,
    )
