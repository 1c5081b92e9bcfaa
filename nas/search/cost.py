"""What a search will cost, before it is spent: pictures and training steps, and, by a warm-up, how long they take.

How many rounds there are depends on scores that nobody knows yet, so it is bounded: the algorithm is folded over
made-up outcomes, one set that prefers the slowest blocks and one that prefers the quickest. Racing lies between
dropping every loser at the first look and scoring every subject on every prompt. An algorithm that knows its work
beforehand is asked instead. Scores that a store already holds make a search cheaper than this.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from types import MappingProxyType
from typing import Any, Final, Protocol

from nas.algorithms.algorithm import Algorithm, Budget, Budgeted
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Finish, PromptSet, Recipe, Score, Scored, Train, Trained
from nas.evaluation.door import Declaration, Reference
from nas.racing.comparisons import look_schedule
from nas.racing.settings import RacingSettings
from nas.scores.intervals import Interval
from nas.scores.prompts import ValidationSet
from nas.search.round_training import JobTrainer
from nas.workers.pool import WorkerPool
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationTask
from search_spaces.architecture import Architecture

MADE_UP: Final = 1.0  # every score of a made-up outcome, and every loss that no contest asks for
# Losses of saved_ms ** p: the value, loss per millisecond, falls with the milliseconds for p < 1 and rises for p > 1.
SLOWEST_FIRST, QUICKEST_FIRST = 0.5, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a search does: rounds, pictures made and scored, training steps.

    Attributes:
        num_rounds: Trainings, those without a step included.
        num_pictures: Made and scored by the run's own score.
        num_training_steps: Forward and backward passes of a batch.
        num_passes: UNet passes for other scores.
    """

    num_rounds: int
    num_pictures: int
    num_training_steps: int
    num_passes: int = 0


class Amounts(Protocol):
    """What takes time: of a whole search, or of what is done of it; see `Work`."""

    @property
    def num_pictures(self) -> int:
        """See above."""

    @property
    def num_training_steps(self) -> int:
        """See above."""

    @property
    def num_passes(self) -> int:
        """See above."""


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


def foresee(
    algorithm: Algorithm[Any],
    problem: Problem[Any],
    /,
    *,
    validation: ValidationSet,
    racing: RacingSettings | None,
    iterations: Mapping[Recipe, int],
    others: Mapping[str, Declaration] = MappingProxyType({}),
    num_workers: int = 1,
    sets: Mapping[PromptSet, int] = MappingProxyType({}),
) -> tuple[Work, Work]:
    """The least and the most work that a search can be expected to be.

    Args:
        algorithm: The algorithm.
        problem: What it is going to solve.
        validation: The prompts.
        racing: How contests are raced; None = exhaustively.
        iterations: Training steps of each recipe.
        others: What other scores say of themselves that its steps may ask for, by name.
        num_workers: Each of which prepares these for itself.
        sets: Prompts of other sets than those that decide.
    """
    if isinstance(algorithm, Budgeted):
        work = _budgeted(algorithm.budget(problem), num_prompts=len(validation.prompts), iterations=iterations)
        return work, work
    works = []
    screened = (0.0, MADE_UP) if algorithm.declaration.scores else (MADE_UP,)
    for power, change in product((SLOWEST_FIRST, QUICKEST_FIRST), screened):
        steps = list(made_up_steps(algorithm, problem, power=power, change=change))
        for first_look in {len(validation.prompts), _first_look(validation, racing)}:
            work = _work(
                steps,
                num_prompts=len(validation.prompts),
                raced=first_look,
                iterations=iterations,
                others=others,
                sets=sets,
            )
            preparing = Preparing(others, num_prompts=len(validation.prompts))
            prepared = num_workers * sum(preparing.passes(step) for step in steps if isinstance(step, Score))
            works.append(replace(work, num_passes=work.num_passes + prepared))
    least, most = ({f.name: pick(getattr(w, f.name) for w in works) for f in fields(Work)} for pick in (min, max))
    return Work(**least), Work(**most)


def _budgeted(budget: Budget, /, *, num_prompts: int, iterations: Mapping[Recipe, int]) -> Work:
    """The work of an algorithm that knows it beforehand."""
    return Work(
        num_rounds=budget.num_rounds,
        num_pictures=budget.num_scorings * num_prompts,
        num_training_steps=sum(round(share * iterations[recipe]) for recipe, share in budget.shares.items()),
    )


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


def made_up_steps(
    algorithm: Algorithm[Any], problem: Problem[Any], /, *, power: float, change: float = MADE_UP
) -> Iterator[Train | Score]:
    """The steps of a search whose scores are made up: what each removal loses is a power of what it saves.

    Args:
        algorithm: The algorithm.
        problem: What it solves.
        power: Of the milliseconds saved.
        change: The least that another score says of a removal; what it says goes by the same power, since such a score
            may decide alone.
    """
    state = algorithm.start(problem)
    for number in range(algorithm.max_steps(problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            return
        yield step
        outcome = (
            Trained(digests=tuple(f"{number}.{index}" for index in range(len(step.jobs))))
            if isinstance(step, Train)
            else made_up_scores(step, power=power, change=change, saved_ms=_saved_ms(step, problem))
        )
        state = algorithm.told(state, step, outcome)


def made_up_scores(
    step: Score, /, *, power: float, change: float = MADE_UP, saved_ms: Mapping[int, float] = MappingProxyType({})
) -> Scored:
    """An outcome in which every contestant loses a power of the milliseconds that it saves; see `made_up_steps`.

    Args:
        step: What is asked.
        power: Of the milliseconds saved.
        change: The least that another score than the run's own says.
        saved_ms: By each subject that saves something, which such a score is asked about without a contest.
    """
    contested = step.contest.saved_ms if step.contest is not None else {}
    losses = {index: ms**power for index, ms in contested.items()}
    if step.by and saved_ms:
        least = min(saved_ms.values()) ** power
        losses = {index: change * ms**power / least for index, ms in saved_ms.items()}
    loses, other = step.reference is not None, change if step.by else MADE_UP
    return Scored(
        reference=Estimate(score=_made_up(MADE_UP)) if loses else None,
        estimates=tuple(
            Estimate(
                score=_made_up(MADE_UP),
                loss=_made_up(losses.get(index, other)) if loses else None,
            )
            if index in step.scored
            else None
            for index in range(len(step.subjects))
        ),
    )


def _saved_ms(step: Score, problem: Problem[Any]) -> dict[int, float]:
    """Milliseconds that subjects save against the reference, by their index; those that save none are left out."""
    if step.reference is None or not step.by:
        return {}
    now_ms = problem.price_ms(step.reference.architecture)
    saved = {index: now_ms - problem.price_ms(each.architecture) for index, each in enumerate(step.subjects)}
    return {index: ms for index, ms in saved.items() if ms > 0}


def _made_up(value: float) -> Interval:
    return Interval(mean=value, low=value, high=value, num_prompts=1, confidence=0.95)


def _first_look(validation: ValidationSet, racing: RacingSettings | None) -> int:
    """Prompts that every contestant of a contest gets."""
    if racing is None:
        return len(validation.prompts)
    return look_schedule(
        num_prompts=len(validation.prompts),
        chunk_size=validation.chunk_size,
        min_prompts=racing.min_prompts,
        growth=racing.growth,
    )[0]


class Preparing:
    """UNet passes by which one worker prepares for scores beside the run's own, step after step.

    A score starts once for so many prompts. One that refers to a round's network takes each step's for it, the first
    one's too: what it started with is the base model in the model's weights.

    Args:
        others: What these scores say of themselves, by name.
        num_prompts: Prompts that decide.
    """

    def __init__(self, others: Mapping[str, Declaration], /, *, num_prompts: int) -> None:
        self._others, self._num_prompts = others, num_prompts
        self._started = set[tuple[str, int]]()

    def passes(self, step: Score, /) -> int:
        """What a step takes before its first number; of the run's own score nothing is said."""
        if step.by not in self._others:
            return 0
        declared = self._others[step.by]
        num = self._num_prompts if step.num_prompts is None else min(step.num_prompts, self._num_prompts)
        each = declared.passes_to_refer if declared.reference is Reference.ROUND else 0
        if (step.by, num) not in self._started:
            self._started.add((step.by, num))
            each += declared.passes_to_start
        return each * num


def _work(
    steps: list[Train | Score],
    *,
    num_prompts: int,
    raced: int,
    iterations: Mapping[Recipe, int],
    others: Mapping[str, Declaration],
    sets: Mapping[PromptSet, int],
) -> Work:
    """The work of some steps, every contestant scored on `raced` prompts."""
    pictures = passes = training_steps = 0
    for step in steps:
        if isinstance(step, Train):
            training_steps += sum(round(job.share * iterations[job.recipe]) for job in step.jobs)
            continue
        num_scored = len(step.scored) + (step.reference is not None)
        there = sets.get(step.prompts, num_prompts)
        asked = there if step.num_prompts is None else min(step.num_prompts, there)
        if step.by in others:
            passes += others[step.by].passes_per_prompt * asked * num_scored
            continue
        if not step.is_plain:
            pictures += asked * num_scored
            continue
        pictures += num_prompts * (step.reference is not None)
        if step.contest is not None and raced < num_prompts:
            pictures += raced * len(step.contest.saved_ms)
        else:
            pictures += num_prompts * len(step.scored)
    return Work(
        num_rounds=sum(isinstance(step, Train) for step in steps),
        num_pictures=pictures,
        num_training_steps=training_steps,
        num_passes=passes,
    )
