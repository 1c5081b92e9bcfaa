"""How long work takes: the pace of this machine, measured by a warm-up of all workers."""

import time
from dataclasses import dataclass

from nas.search.costs.work import Amounts, Work
from nas.search.round_training import JobTrainer
from nas.workers.pool import WorkerPool
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationTask
from search_spaces.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How quick the machine is, measured with all workers at work.

    Attributes:
        seconds_per_picture: Wall time per picture.
        seconds_per_training_step: Forward and backward pass of one batch; 0 without training.
        num_gpus: GPUs that are held meanwhile.
        passes_per_picture: UNet passes of a picture, with which other scores are priced.
    """

    seconds_per_picture: float
    seconds_per_training_step: float
    num_gpus: float
    passes_per_picture: int = 1

    def seconds(self, work: Amounts, /) -> float:
        """Wall time of some work."""
        pictures = work.num_pictures + work.num_passes / self.passes_per_picture
        return pictures * self.seconds_per_picture + work.num_training_steps * self.seconds_per_training_step


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """The least and the most that a search should cost, at a measured pace."""

    least: Work
    most: Work
    pace: Pace

    def seconds(self, work: Work, /) -> float:
        """Wall time of some work."""
        return self.pace.seconds(work)

    def gpu_hours(self, work: Work, /) -> float:
        """GPU time of some work; 0 where no GPU takes part."""
        return self.seconds(work) * self.pace.num_gpus / 3600


def measure_pace(
    pool: WorkerPool,
    trainer: JobTrainer,
    /,
    *,
    base: Architecture,
    num_prompts: int,
    workers: WorkerSettings,
    on_gpu: bool,
    passes_per_picture: int = 1,
) -> Pace:
    """Warm up with a chunk per worker, then time another and, where the search trains, a training step.

    Args:
        pool: Who scores.
        trainer: Who trains.
        base: What is scored.
        num_prompts: Prompts of the first chunk.
        workers: How many there are.
        on_gpu: Whether they compute on GPUs.
        passes_per_picture: UNet passes of a picture.
    """
    task = EvaluationTask(architecture=base, chunk=0)
    pool.warm_up(task)
    start = time.perf_counter()
    list(pool.evaluate([task] * workers.num_workers))
    gpus = workers.num_workers * workers.gpus_per_worker
    return Pace(
        seconds_per_picture=(time.perf_counter() - start) / (workers.num_workers * num_prompts),
        seconds_per_training_step=trainer.time_step(),
        num_gpus=max(gpus, 1.0) if on_gpu else gpus,
        passes_per_picture=max(passes_per_picture, 1),
    )
