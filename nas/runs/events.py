"""The events of a trace, each a frozen value: their names and fields stand here and nowhere else.

A field that is None where its comment says so is left out of the line. What may differ between two runs of one search
(clock times, losses) is no field: it stands under the line's key `runtime`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final


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
        limits: The most of what else is limited, by its name, and the worst allowed `score`; None = the target alone.
        easier_targets_ms: Targets that it passes on its way; None = `target_latency_ms` is the only one.
    """

    name: ClassVar[str] = "search_started"
    optional: ClassVar[frozenset[str]] = frozenset({"start", "score", "limits", "easier_targets_ms"})

    target_latency_ms: float
    base_latency_ms: float
    base: Mapping[str, Any]
    digests: Mapping[str, str]
    start: Mapping[str, Any] | None = None
    score: Mapping[str, Any] | None = None
    limits: Mapping[str, float] | None = None
    easier_targets_ms: list[float] | None = None


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
        unit: Of the numbers, in words; None = the run's own score, or pure numbers.
        reference: Score of what losses are paired with: mean, low, high, num_prompts, confidence; None without one.
        subjects: Of each that was scored: `action` (None where no action made it), `arch_id`, `score`, `loss`, and
            `d_latency_ms`, the milliseconds that its action saves, where an action made it.
    """

    name: ClassVar[str] = "measurement"
    optional: ClassVar[frozenset[str]] = frozenset({"by", "prompts", "num_prompts", "unit", "reference"})

    round: int
    by: str | None = None
    prompts: str | None = None
    num_prompts: int | None = None
    unit: str | None = None
    reference: Mapping[str, Any] | None = None
    subjects: list[Mapping[str, Any]]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRefused(Event):
    """Architectures were never scored, since limits that need no score refused them.

    Attributes:
        round: The round.
        num_architectures: How many.
        num_pictures: Pictures that they would have taken without racing.
    """

    name: ClassVar[str] = "refused"

    round: int
    num_architectures: int
    num_pictures: int


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
        stop: "converged", "infeasible", "budget_spent", "score_floor"; None while the search goes on.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFinished(Event):
    """A search is over.

    Attributes:
        round: The round whose architecture it found, with the weights of that round.
        arch_id: Digest of that architecture.
        stop: Why it ended.
        target_met: Whether it meets the target, and every other limit.
        missed_by: By how much it misses which limit; None = none, or there is no limit but the target.
        results: One per target, the hardest first: `target_latency_ms`, `round`, `arch_id`, `missed_by`; or the points
            of a front, the best score first: `latency_ms` and `score` instead of a target; None = there is one result.
    """

    name: ClassVar[str] = "search_finished"
    optional: ClassVar[frozenset[str]] = frozenset({"missed_by", "results"})

    round: int
    arch_id: str
    stop: str
    target_met: bool
    missed_by: Mapping[str, float] | None = None
    results: list[Mapping[str, Any]] | None = None


KINDS: Final[tuple[type[Event], ...]] = (
    SearchStarted, SearchExtended, WeightsTrained, ArchitectureEvaluated, ActionEvaluated, Measured, ContestScreened,
    ContestRaced, Decided, SearchFinished, LimitsRefused,
)  # fmt: skip
