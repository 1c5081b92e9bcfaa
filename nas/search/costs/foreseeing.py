"""The least and the most that a search will do.

How many rounds there are depends on scores that nobody knows yet, so it is bounded: the algorithm is folded over
made-up outcomes, one set that prefers the slowest blocks and one that prefers the quickest. Racing lies between
dropping every loser at the first look and scoring every subject on every prompt. An algorithm that knows its work
beforehand is asked instead. Scores that a store already holds make a search cheaper than this.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import product
from types import MappingProxyType
from typing import Any

from nas.algorithms.algorithm import Algorithm, Budget, Budgeted
from nas.algorithms.problem import Problem
from nas.algorithms.steps import PromptSet, Recipe, Score, Train
from nas.evaluation.door import Declaration
from nas.racing.comparisons import look_schedule
from nas.racing.settings import RacingSettings
from nas.scores.prompts import ValidationSet
from nas.search.costs.made_up import MADE_UP, QUICKEST_FIRST, SLOWEST_FIRST, made_up_steps
from nas.search.costs.work import Preparing, Work


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
