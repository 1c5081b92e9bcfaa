"""What an executed scoring step leaves in the trace: its events, in their order."""

from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Score, Scored, Subject
from nas.algorithms.value_score import ScoredAction
from nas.runs.events import (
    ActionEvaluated,
    ArchitectureEvaluated,
    ContestRaced,
    ContestScreened,
    Event,
    Measured,
    named,
)


def evaluations(step: Score, outcome: Scored, /, *, problem: Problem[Any], unit: str | None = None) -> Iterator[Event]:
    """The events of a scoring: the reference first, then every subject that was scored; one where it is not plain.

    Args:
        step: What was asked.
        outcome: What came of it.
        problem: Of the search.
        unit: Of another score than the run's own.
    """
    if not step.is_plain:
        yield Measured.of(step, outcome, problem=problem, unit=unit)
        return
    if step.screening is not None:
        yield ContestScreened.of(step, step.screening)
    if step.reference is not None and outcome.reference is not None:
        yield _of_architecture(step, step.reference, outcome.reference, problem)
    for subject, estimate in zip(step.subjects, outcome.estimates, strict=True):
        if estimate is not None:
            of_action = step.reference is not None and subject.action is not None
            yield (_of_action if of_action else _of_architecture)(step, subject, estimate, problem)


def _of_architecture(step: Score, subject: Subject, estimate: Estimate, problem: Problem[Any]) -> Event:
    architecture = subject.architecture
    plain = architecture.to_dict()
    genes = {"stages": plain["stages"]} if "stages" in plain else {"architecture": plain}
    return ArchitectureEvaluated(
        round=step.round,
        arch_id=architecture.arch_id,
        clip=asdict(estimate.score),
        predicted_latency_ms=problem.price_ms(architecture),
        num_params=problem.space.num_params(architecture),
        d_clip=None if estimate.loss is None else asdict(estimate.loss),
        **genes,
    )


def _of_action(step: Score, subject: Subject, estimate: Estimate, problem: Problem[Any]) -> Event:
    assert step.reference is not None
    assert subject.action is not None
    assert estimate.loss is not None
    saved_ms = problem.price_ms(step.reference.architecture) - problem.price_ms(subject.architecture)
    value = ScoredAction(action=subject.action, d_clip=estimate.loss, d_latency_ms=saved_ms).value
    return ActionEvaluated(
        round=step.round,
        action=str(subject.action),
        arch_id=subject.architecture.arch_id,
        clip=asdict(estimate.score),
        d_clip=asdict(estimate.loss),
        d_latency_ms=saved_ms,
        value=value if isfinite(value) else None,
    )


def contest_raced(step: Score, outcome: Scored, /, *, num_prompts: int) -> ContestRaced:
    """The event of a race."""
    assert outcome.verdict is not None

    spent = sum(estimate.score.num_prompts for estimate in outcome.estimates if estimate is not None)
    return ContestRaced(
        round=step.round,
        chosen=[named(step.subjects[index]) for index in outcome.verdict.chosen],
        ties=[[named(step.subjects[index]) for index in pair] for pair in outcome.verdict.ties],
        num_pictures=num_prompts + spent,
        num_pictures_exhaustive=num_prompts * (1 + len(step.subjects)),
    )
