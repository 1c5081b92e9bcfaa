"""What a search leaves in its trace: the events of a problem and of the steps that solve it, in their order."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any, TypeVar

from nas.algorithms.problem import Problem
from nas.algorithms.steps import Decision, Estimate, Finish, PromptSet, Result, Score, Scored, Screening, Subject
from nas.algorithms.value_score import ScoredAction
from nas.runs.events import (
    ActionEvaluated,
    ArchitectureEvaluated,
    ContestRaced,
    ContestScreened,
    Decided,
    Event,
    Measured,
    SearchFinished,
    SearchStarted,
)

S = TypeVar("S", bound=SearchStarted)


def begun(kind: type[S], problem: Problem[Any], /, *, digests: Mapping[str, str], score: Mapping[str, Any] | None) -> S:
    """The event of a problem that is now solved.

    Args:
        kind: A search's start, or its extension.
        problem: What is searched.
        digests: Of all that it depends on.
        score: As the trace names it.
    """
    base = problem.space.base
    return kind(
        target_latency_ms=problem.target_latency_ms,
        base_latency_ms=problem.price_ms(base),
        base=base.to_dict(),
        digests=digests,
        start=None if problem.start is None else problem.start.to_dict(),
        score=score,
        limits=problem.named_limits or None,
        easier_targets_ms=list(problem.easier_targets_ms) or None,
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
        yield _measured(step, outcome, problem, unit)
        return
    if step.screening is not None:
        yield _screened(step, step.screening)
    if step.reference is not None and outcome.reference is not None:
        yield _of_architecture(step, step.reference, outcome.reference, problem)
    for subject, estimate in zip(step.subjects, outcome.estimates, strict=True):
        if estimate is not None:
            of_action = step.reference is not None and subject.action is not None
            yield (_of_action if of_action else _of_architecture)(step, subject, estimate, problem)


def _measured(step: Score, outcome: Scored, problem: Problem[Any], unit: str | None) -> Event:
    now_ms = None if step.reference is None else problem.price_ms(step.reference.architecture)

    def saved(subject: Subject) -> dict[str, float]:
        if now_ms is None or subject.action is None:
            return {}
        return {"d_latency_ms": now_ms - problem.price_ms(subject.architecture)}

    return Measured(
        round=step.round,
        by=step.by or None,
        prompts=None if step.prompts is PromptSet.DECIDING else str(step.prompts),
        num_prompts=step.num_prompts,
        unit=unit or None,
        reference=None if outcome.reference is None else asdict(outcome.reference.score),
        subjects=[
            {
                "action": None if subject.action is None else str(subject.action),
                "arch_id": subject.architecture.arch_id,
                "score": asdict(estimate.score),
                "loss": None if estimate.loss is None else asdict(estimate.loss),
                **saved(subject),
            }
            for subject, estimate in zip(step.subjects, outcome.estimates, strict=True)
            if estimate is not None
        ],
    )


def _screened(step: Score, screening: Screening) -> Event:
    return ContestScreened(
        round=step.round,
        by=screening.by,
        free=[_named(step.subjects[index]) for index in screening.free],
        dropped=[_named(step.subjects[index]) for index in screening.dropped],
    )


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
        chosen=[_named(step.subjects[index]) for index in outcome.verdict.chosen],
        ties=[[_named(step.subjects[index]) for index in pair] for pair in outcome.verdict.ties],
        num_pictures=num_prompts + spent,
        num_pictures_exhaustive=num_prompts * (1 + len(step.subjects)),
    )


def decided(decision: Decision, /) -> Decided:
    """The event of a decision."""
    return Decided(
        round=decision.round,
        actions=[str(action) for action in decision.actions],
        stop=decision.stop,
        notes=dict(decision.notes) or None,
        certainty=None if decision.certainty is None else asdict(decision.certainty),
    )


def finished(finish: Finish, /, *, problem: Problem[Any]) -> SearchFinished:
    """The event of the last step."""
    found = finish.results[0]
    has_more = bool(problem.limits) or problem.worst_score is not None
    has_several = bool(problem.easier_targets_ms) or finish.is_front
    return SearchFinished(
        round=found.round,
        arch_id=found.subject.architecture.arch_id,
        stop=finish.reason,
        target_met=not found.missed_by,
        missed_by=dict(found.missed_by) if has_more and found.missed_by else None,
        results=[_outlined(result, finish, problem) for result in finish.results] if has_several else None,
    )


def _outlined(result: Result, finish: Finish, problem: Problem[Any]) -> dict[str, Any]:
    """A result in few words: for its target, or as a point of a front."""
    aim: dict[str, float | None] = {"target_latency_ms": result.target_latency_ms}
    if finish.is_front:
        aim = {"latency_ms": problem.price_ms(result.subject.architecture), "score": result.score.mean}
    return {
        **aim,
        "round": result.round,
        "arch_id": result.subject.architecture.arch_id,
        "missed_by": dict(result.missed_by),
    }


def _named(subject: Subject) -> str:
    """How a trace names a subject: by its action, or else by its digest."""
    return subject.architecture.arch_id if subject.action is None else str(subject.action)
