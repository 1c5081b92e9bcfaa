"""What such a search scored, and what it hands over of that: results, each with its weights. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Result, Subject
from nas.scores.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An architecture that was scored, in which round, and by which edit of the start where one edit made it."""

    architecture: Any
    round: int
    score: Interval
    action: Any = None


def result_of(problem: Problem[Any], tried: Tried, /, *, weights: str, target_ms: float | None = None) -> Result:
    """What is handed over; of several targets named by its own."""
    named: dict[str, Any] = {} if target_ms is None else {"label": f"{target_ms:.3f}ms", "target_latency_ms": target_ms}
    return Result(
        subject=Subject(architecture=tried.architecture, weights=weights),
        round=tried.round,
        score=tried.score,
        actions=_actions(problem, tried.architecture),
        missed_by=problem.missed_by(tried.architecture, score=tried.score.mean),
        **named,
    )


def point_of(problem: Problem[Any], tried: Tried, /, *, weights: str) -> Result:
    """A point of the front, named by its latency."""
    return replace(result_of(problem, tried, weights=weights), label=f"{problem.price_ms(tried.architecture):.3f}ms")


def _actions(problem: Problem[Any], architecture: Any) -> tuple[Any, ...]:
    """The removals that lead from the start to an architecture; none where it takes others too."""
    genes = Genes.of(problem)
    levels = genes.levels(architecture)
    if genes.architecture(levels) != architecture:
        return ()
    return tuple(edit for edit, level in zip(genes.edits, levels, strict=True) for _ in range(level))
