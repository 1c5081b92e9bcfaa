"""The steps of a search whose scores nobody knows yet: the algorithm is folded over made-up outcomes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Finish, Score, Scored, Train, Trained
from nas.scores.intervals import Interval

MADE_UP: Final = 1.0  # every score of a made-up outcome, and every loss that no contest asks for
# Losses of saved_ms ** p: the value, loss per millisecond, falls with the milliseconds for p < 1 and rises for p > 1.
SLOWEST_FIRST, QUICKEST_FIRST = 0.5, 2.0


def made_up_steps(
    algorithm: Algorithm[Any], problem: Problem[Any], /, *, power: float, change: float
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
            else _scores(step, power=power, change=change, saved_ms=_saved_ms(step, problem))
        )
        state = algorithm.told(state, step, outcome)


def _scores(step: Score, *, power: float, change: float, saved_ms: Mapping[int, float]) -> Scored:
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
        reference=Estimate(score=_certain(MADE_UP)) if loses else None,
        estimates=tuple(
            Estimate(
                score=_certain(MADE_UP),
                loss=_certain(losses.get(index, other)) if loses else None,
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


def _certain(value: float) -> Interval:
    return Interval(mean=value, low=value, high=value, num_prompts=1, confidence=0.95)
