"""The events of a trace, each a frozen value: their names and fields stand here and nowhere else.

A field that is None where its comment says so is left out of the line. What may differ between two runs of one search
(clock times, losses) is no field: it stands under the line's key `runtime`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, ClassVar, Final

from nas.algorithms.problem import Problem
from nas.algorithms.steps import Decision, Estimate, Finish, PromptSet, Score, Scored, Screening, Subject
from nas.algorithms.value_score import ScoredAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a search."""

    name: ClassVar[str]
    optional: ClassVar[frozenset[str]] = frozenset()  # left out where they are None

    def fields(self) -> dict[str, Any]:
        """Plain values by their key."""
        return {key: value for key, value in asdict(self).items() if value is not None or key not in self.optional}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStarted(Event):
    """A search begins: its target, the base model, where it starts (None = at the base), digests of what it depends on.

    Attributes:
        target_latency_ms: The objective.
        base_latency_ms: Predicted for the base model.
        base: The base model's architecture.
        digests: By name; `config` covers the settings.
        start: The architecture that it starts with.
        score: Name, unit and direction of what is scored by; None = CLIP's score.
    """

    name: ClassVar[str] = "search_started"
    optional: ClassVar[frozenset[str]] = frozenset({"start", "score"})

    target_latency_ms: float
    base_latency_ms: float
    base: Mapping[str, Any]
    digests: Mapping[str, str]
    start: Mapping[str, Any] | None = None
    score: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchExtended(SearchStarted):
    """A finished search goes on with another config; the fields are those of `search_started`."""

    name: ClassVar[str] = "search_extended"


STARTS: Final = (SearchStarted.name, SearchExtended.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsTrained(Event):
    """A training is done, or was found done.

    Attributes:
        round: Counts trainings from 0.
        iterations: Training steps.
        recovering: Whether no block was skipped.
        weights_digest: What it gave.
        job: Index of the training, where a round has several.
    """

    name: ClassVar[str] = "trained"
    optional: ClassVar[frozenset[str]] = frozenset({"job"})

    round: int
    iterations: int
    recovering: bool
    weights_digest: str
    job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureEvaluated(Event):
    """An architecture is scored: a round's own, or one that no action made.

    Attributes:
        round: Whose weights.
        action: None.
        arch_id: Digest of the architecture.
        clip: Its score: mean, low, high, num_prompts, confidence.
        predicted_latency_ms: Of one forward pass.
        num_params: Parameters.
        stages: Its genes, stage by stage; another family's architecture stands under `architecture`.
        architecture: See `stages`.
        d_clip: Paired loss to the round's reference, where there is one and no action leads there.
    """

    name: ClassVar[str] = "evaluation"
    optional: ClassVar[frozenset[str]] = frozenset({"stages", "architecture", "d_clip"})

    round: int
    action: None = None
    arch_id: str
    clip: Mapping[str, Any]
    predicted_latency_ms: float
    num_params: int
    stages: Any = None
    architecture: Mapping[str, Any] | None = None
    d_clip: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEvaluated(Event):
    """An action on a round's architecture is scored.

    Attributes:
        round: Whose architecture and weights.
        action: Such as "-resnet[mid,0]".
        arch_id: Of the architecture after it.
        clip: Score after it.
        d_clip: Paired loss, positive = worse.
        d_latency_ms: Milliseconds saved.
        value: d_clip / d_latency_ms; None where nothing is saved.
    """

    name: ClassVar[str] = "evaluation"

    round: int
    action: str
    arch_id: str
    clip: Mapping[str, Any]
    d_clip: Mapping[str, Any]
    d_latency_ms: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Event):
    """Architectures are scored by another score than the run's own, or on other prompts than those that decide.

    Attributes:
        round: Whose weights.
        by: Name of the score; None = the run's own.
        prompts: "held_out"; None = those that decide.
        num_prompts: The first so many; None = all.
        reference: Score of what losses are paired with: mean, low, high, num_prompts, confidence; None without one.
        subjects: Of each that was scored: `action` (None where no action made it), `arch_id`, `score`, `loss`.
    """

    name: ClassVar[str] = "measurement"
    optional: ClassVar[frozenset[str]] = frozenset({"by", "prompts", "num_prompts", "reference"})

    round: int
    by: str | None = None
    prompts: str | None = None
    num_prompts: int | None = None
    reference: Mapping[str, Any] | None = None
    subjects: list[Mapping[str, Any]]

    @classmethod
    def of(cls, step: Score, outcome: Scored, /) -> "Measured":
        """The event of such a scoring."""
        return cls(
            round=step.round,
            by=step.by or None,
            prompts=None if step.prompts is PromptSet.DECIDING else str(step.prompts),
            num_prompts=step.num_prompts,
            reference=None if outcome.reference is None else asdict(outcome.reference.score),
            subjects=[
                {
                    "action": None if subject.action is None else str(subject.action),
                    "arch_id": subject.architecture.arch_id,
                    "score": asdict(estimate.score),
                    "loss": None if estimate.loss is None else asdict(estimate.loss),
                }
                for subject, estimate in zip(step.subjects, outcome.estimates, strict=True)
                if estimate is not None
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestScreened(Event):
    """A cheap score has looked at a round's actions first; its numbers stand in the measurement before.

    Attributes:
        round: The round.
        by: Name of the cheap score.
        free: Actions that change nothing and get no prompt, the largest saving first.
        dropped: Actions that change too much for what they save, or whose places are taken, and get no prompt.
    """

    name: ClassVar[str] = "screen"

    round: int
    by: str
    free: list[str]
    dropped: list[str]

    @classmethod
    def of(cls, step: Score, screening: Screening, /) -> "ContestScreened":
        """The event of a screening."""
        return cls(
            round=step.round,
            by=screening.by,
            free=[_named(step.subjects[index]) for index in screening.free],
            dropped=[_named(step.subjects[index]) for index in screening.dropped],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestRaced(Event):
    """A round's contest is settled by racing.

    Attributes:
        round: The round.
        chosen: Actions, best first; architectures' digests where no action made them.
        ties: Pairs (chosen, displaced) within the tolerance.
        num_pictures: Pictures that the round took.
        num_pictures_exhaustive: Pictures that it would have taken without racing.
    """

    name: ClassVar[str] = "race"

    round: int
    chosen: list[str]
    ties: list[list[str]]
    num_pictures: int
    num_pictures_exhaustive: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """What a round's scores led to: actions to execute, or the reason to stop.

    Attributes:
        round: The round.
        actions: What is executed, in this order; none where the search stops.
        stop: "converged", "infeasible", "budget_spent"; None while the search goes on.
        notes: What else the algorithm has to tell, by name; None = nothing.
        certainty: How likely the actions are the right ones: `chance` that no others would lose less by more than
            `tolerance`, and `expected_loss` that knowing all would save; None where nothing was chosen by losses.
    """

    name: ClassVar[str] = "decision"
    optional: ClassVar[frozenset[str]] = frozenset({"notes", "certainty"})

    round: int
    actions: list[str]
    stop: str | None
    notes: Mapping[str, Any] | None = None
    certainty: Mapping[str, float] | None = None

    @classmethod
    def of(cls, decision: Decision, /) -> "Decided":
        """The event of a decision."""
        return cls(
            round=decision.round,
            actions=[str(action) for action in decision.actions],
            stop=decision.stop,
            notes=dict(decision.notes) or None,
            certainty=None if decision.certainty is None else asdict(decision.certainty),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFinished(Event):
    """A search is over.

    Attributes:
        round: The round whose architecture it found, with the weights of that round.
        arch_id: Digest of that architecture.
        stop: Why it ended.
        target_met: Whether it meets the target.
    """

    name: ClassVar[str] = "search_finished"

    round: int
    arch_id: str
    stop: str
    target_met: bool

    @classmethod
    def of(cls, finish: Finish, /) -> "SearchFinished":
        """The event of the last step."""
        found = finish.results[0]
        arch_id = found.subject.architecture.arch_id
        return cls(round=found.round, arch_id=arch_id, stop=finish.reason, target_met=not found.missed_by)


KINDS: Final[tuple[type[Event], ...]] = (
    SearchStarted, SearchExtended, WeightsTrained, ArchitectureEvaluated, ActionEvaluated, Measured, ContestScreened,
    ContestRaced, Decided, SearchFinished,
)  # fmt: skip


def evaluations(step: Score, outcome: Scored, /, *, problem: Problem[Any]) -> Iterator[Event]:
    """The events of a scoring: the reference first, then every subject that was scored; one where it is not plain."""
    if not step.is_plain:
        yield Measured.of(step, outcome)
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


def _named(subject: Subject) -> str:
    return subject.architecture.arch_id if subject.action is None else str(subject.action)


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
