"""What a search will cost, before it is spent: pictures and training steps, and, by a warm-up, how long they take.

The number of rounds depends on scores that nobody knows yet, so it is bounded: the search's course is walked through
with made-up rankings, one that always removes the slowest blocks first and one that removes the quickest first. Racing
lies between dropping every loser at the first look and scoring every action on every prompt. Scores that a store
already holds make a search cheaper than this.
"""

import time
from dataclasses import dataclass, fields
from typing import Final

from nas.algorithms.course import Course, Round
from nas.algorithms.value_score import ScoredAction
from nas.config.experiment import Experiment
from nas.scores.intervals import Interval
from nas.search.round_training import RoundTrainer
from nas.workers.pool import WorkerPool
from nas.workers.worker import EvaluationTask

MADE_UP: Final = Interval(mean=1.0, low=1.0, high=1.0, num_prompts=1, confidence=0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a search does: rounds, pictures made and scored, training steps."""

    num_rounds: int
    num_pictures: int
    num_training_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How quick the machine is, measured with all workers at work.

    Attributes:
        seconds_per_picture: Wall time per picture.
        seconds_per_training_step: Forward and backward pass of one batch; 0 without training.
        num_gpus: GPUs that are held meanwhile.
    """

    seconds_per_picture: float
    seconds_per_training_step: float
    num_gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostEstimate:
    """The least and the most that a search should cost, at a measured pace."""

    least: Work
    most: Work
    pace: Pace

    def seconds(self, work: Work, /) -> float:
        """Wall time of some work."""
        pictures_s = work.num_pictures * self.pace.seconds_per_picture
        return pictures_s + work.num_training_steps * self.pace.seconds_per_training_step

    def gpu_hours(self, work: Work, /) -> float:
        """GPU time of some work; 0 where no GPU takes part."""
        return self.seconds(work) * self.pace.num_gpus / 3600


def foresee(experiment: Experiment, /) -> tuple[Work, Work]:
    """The least and the most work that a search of this config can be expected to be."""
    courses = [_walk(experiment, slowest_first=slowest_first) for slowest_first in (True, False)]
    works = [_work(experiment, rounds, raced=raced) for rounds in courses for raced in (True, False)]
    least, most = ({f.name: pick(getattr(w, f.name) for w in works) for f in fields(Work)} for pick in (min, max))
    return Work(**least), Work(**most)


def measure_pace(experiment: Experiment, /, *, pool: WorkerPool, trainer: RoundTrainer) -> Pace:
    """Warm up with a chunk per worker, then time another and, where the search trains, a training step."""
    validation, workers = experiment.worker.validation, experiment.config.workers
    base = EvaluationTask(architecture=experiment.space.base, chunk=0)
    list(pool.evaluate([base] * workers.num_workers))
    start = time.perf_counter()
    list(pool.evaluate([base] * workers.num_workers))
    num_pictures = workers.num_workers * len(validation.chunk(0))
    gpus = workers.num_workers * workers.gpus_per_worker
    return Pace(
        seconds_per_picture=(time.perf_counter() - start) / num_pictures,
        seconds_per_training_step=trainer.time_step(),
        num_gpus=max(gpus, 1.0) if experiment.worker.execution.device != "cpu" else gpus,
    )


def _walk(experiment: Experiment, *, slowest_first: bool) -> list[Round]:
    """The rounds of a search whose scores prefer the slowest, or the quickest, blocks."""
    rules, course, rounds = experiment.rules, Course.of(experiment.rules), list[Round]()
    following: Course | None = course
    while following is not None:
        course = following
        rounds.append(course.round(rules))
        now_ms = rules.price_ms(course.architecture)
        saved = {a: now_ms - rules.price_ms(a.apply(course.architecture)) for a in rounds[-1].options}
        ranking = [
            ScoredAction(action=action, d_clip=MADE_UP, d_latency_ms=saved[action])
            for action in sorted(saved, key=lambda a: (saved[a], a), reverse=slowest_first)
        ]
        following = course.decide(ranking, rules)[1]
    return rounds


def _work(experiment: Experiment, rounds: list[Round], *, raced: bool) -> Work:
    """The work of some rounds, every loser dropped at the first look, or none."""
    config, num_prompts = experiment.config, len(experiment.worker.validation.prompts)
    training = config.robust_training
    pictures = 0
    for each in rounds:
        pictures += num_prompts
        if raced and experiment.racing is not None and each.contest is not None:
            pictures += len(each.contest.actions) * min(num_prompts, experiment.racing.min_prompts)
        else:
            pictures += len(each.options) * num_prompts
    return Work(
        num_rounds=len(rounds),
        num_pictures=pictures,
        num_training_steps=sum(
            training.recovery_iterations if each.recovering else training.iterations for each in rounds
        ),
    )
