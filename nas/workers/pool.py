"""The worker pool: one interface, in process or Ray actors behind it, the same results either way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

import torch

from latency.exporters.extras import load_extra
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationResult, EvaluationTask, EvaluationWorker, WorkerSpec
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet

if TYPE_CHECKING:
    from nas.workers.ray_actor import Worker

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Pool(Protocol[TaskT_contra, ResultT_co]):
    """Does tasks on workers that all hold the same models.

    Contract: every task is answered exactly once, in any order; a task that fails raises its own error; the results
    do not depend on which worker answers.
    """

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Give every worker these weights before it takes another task."""

    def evaluate(self, tasks: Sequence[TaskT_contra], /) -> Iterator[ResultT_co]:
        """Results as they arrive."""

    def warm_up(self, task: TaskT_contra, /) -> None:
        """Have every worker do a task once, those included that are still loading."""

    def close(self) -> None:
        """Let the workers go; the pool is of no use afterwards."""


WorkerPool: TypeAlias = Pool[EvaluationTask, EvaluationResult]  # of workers that hold a supernet


class OneWorkerPool(Generic[TaskT, ResultT]):
    """One worker, in this process."""

    def __init__(self, worker: "Worker[TaskT, ResultT]", /) -> None:
        self._worker = worker

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Nothing to do: the worker reads the driver's own weights, if any."""

    def evaluate(self, tasks: Sequence[TaskT], /) -> Iterator[ResultT]:
        """One after the other."""
        for task in tasks:
            yield self._worker.evaluate(task)

    def warm_up(self, task: TaskT, /) -> None:
        """Once."""
        self._worker.evaluate(task)

    def close(self) -> None:
        """Nothing to let go."""


class InProcessPool(OneWorkerPool[EvaluationTask, EvaluationResult]):
    """A worker that shares the driver's supernet, so that weights never travel."""

    def __init__(self, spec: WorkerSpec, /, *, supernet: Supernet) -> None:
        super().__init__(EvaluationWorker(spec, supernet=supernet))


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


def pool_of(
    worker_class: "Callable[..., Worker[TaskT, ResultT]]",
    spec: object,
    /,
    *,
    settings: WorkerSettings,
    log_folder: Path | None = None,
    on_start: Callable[[int, int], None] = lambda num_ready, num_workers: None,
) -> Pool[TaskT, ResultT]:
    """A pool of workers of any class, whose weights are their own: in process, or Ray actors.

    Args:
        worker_class: Called as `worker_class(spec, name=...)` in each worker's process.
        spec: What each worker is made from, a value that travels.
        settings: How many, and where.
        log_folder: Where actors write their logs; None = nowhere.
        on_start: Called with (workers ready, workers in all) while they are waited for.

    Raises:
        MissingExtraError: Ray is needed and not installed.
    """
    if not settings.needs_ray:
        return OneWorkerPool(worker_class(spec, name="in process"))
    load_extra("ray", extra="ray")
    from nas.workers.ray_pool import RayPool

    return RayPool(spec, worker_class=worker_class, settings=settings, log_folder=log_folder, on_start=on_start)
