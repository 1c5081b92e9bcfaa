"""Estimating one experiment's cost: what it asks of `nas.search.costs`, with staff or without."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nas.algorithms.steps import PromptSet, Recipe
from nas.config.experiment import Experiment
from nas.runs.directory import RunDirectory
from nas.search.costs.foreseeing import foresee
from nas.search.costs.pace import CostEstimate, measure_pace
from nas.search.costs.work import Work
from nas.search.round_training import JobTrainer
from nas.search.staff import staffed
from nas.workers.pool import WorkerPool


def estimate_cost(
    experiment: Experiment, /, *, on_start: Callable[[int, int], None] = lambda num_ready, num_workers: None
) -> CostEstimate:
    """What a search would cost on these workers, by a warm-up; nothing is written.

    The warm-up draws the first chunk alone, and no worker is to embed the captions of others for that.
    """
    unwritten, worker = RunDirectory(Path()), experiment.worker
    first = replace(worker, validation=worker.validation.first(worker.validation.chunk_size))
    small = replace(experiment, worker=first)
    with staffed(small, run=unwritten, log_folder=None, on_start=on_start) as (pool, trainer):
        return estimated(experiment, pool=pool, trainer=trainer)


def expected_work(experiment: Experiment, /) -> tuple[Work, Work]:
    """The least and the most work that a search can be expected to be."""
    training = experiment.config.robust_training
    return foresee(
        experiment.algorithm,
        experiment.problem,
        validation=experiment.worker.validation,
        racing=experiment.racing,
        iterations={Recipe.ROBUST: training.iterations, Recipe.RECOVERY: training.recovery_iterations},
        others=experiment.others,
        num_workers=experiment.config.workers.num_workers,
        sets={
            name: len(prompts.prompts)
            for name, prompts in (
                (PromptSet.FINAL, experiment.worker.final),
                (PromptSet.HELD_OUT, experiment.worker.held_out),
            )
            if prompts is not None
        },
    )


def estimated(experiment: Experiment, /, *, pool: WorkerPool, trainer: JobTrainer) -> CostEstimate:
    """What a search would cost on workers that are there, by a warm-up."""
    least, most = expected_work(experiment)
    pace = measure_pace(
        pool,
        trainer,
        base=experiment.space.base,
        num_prompts=len(experiment.worker.validation.chunk(0)),
        workers=experiment.config.workers,
        on_gpu=experiment.worker.execution.device != "cpu",
        passes_per_picture=experiment.worker.setting.passes_per_picture,
    )
    return CostEstimate(least=least, most=most, pace=pace)
