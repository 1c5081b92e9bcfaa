"""What an algorithm asks for and what it is told: steps and their outcomes, as values. Pure.

Three steps make every search: `Train` weights, `Score` architectures with them, `Finish`. An outcome holds estimates;
the scores of single prompts stay in the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from nas.algorithms.problem import Problem
from nas.scores.intervals import Interval
from nas.values.certainty import Certainty
from nas.values.group import Choice, renumbered
from nas.values.rule import ValueRule
from nas.values.sample import by_index
from search_spaces.files.user_error import UserError
from search_spaces.search_space import Edit

FIRST: Final = ""  # the weights that a search starts with, before anything was trained


class PromptSet(StrEnum):
    """Which captions something is scored on."""

    DECIDING = "deciding"
    FINAL = "final"  # the deciding ones and more, for what is chosen in the end
    HELD_OUT = "held_out"


class Recipe(StrEnum):
    """How weights are trained; lengths and rates are the experiment's."""

    ROBUST = "robust"
    RECOVERY = "recovery"


class StopReason(StrEnum):
    """Why a search ended."""

    CONVERGED = "converged"
    BUDGET_SPENT = "budget_spent"
    INFEASIBLE = "infeasible"
    SCORE_FLOOR = "score_floor"  # the worst allowed score was passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an outcome led to, for the record: it travels with the step that follows.

    Attributes:
        round: Whose outcome.
        actions: What is executed.
        stop: Why nothing more is.
        notes: What is worth telling, by name: how many architectures were scored, say.
        certainty: How likely the actions are the right ones, and what it may cost that they are not; None where nothing
            was chosen by losses.
    """

    round: int
    actions: tuple[Edit, ...] = ()
    stop: StopReason | None = None
    notes: Mapping[str, float | str] = field(default_factory=dict)
    certainty: Certainty | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        architecture: Whose weights; of the problem's space (`search_spaces.search_space.Candidate`).
        recipe: How.
        parent: Digest of the weights to start from, as a training of this search gave it; `FIRST` = the search's own.
        share: Of the recipe's steps; 0 = only write down the weights that are there.
    """

    architecture: Any
    recipe: Recipe = Recipe.ROBUST
    parent: str = FIRST
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train weights: jobs that do not depend on each other, with equal seeds.

    Attributes:
        round: Counts the trainings from 0; part of the seed and of the checkpoint's name.
        jobs: At least one.
        decision: What led here.
    """

    round: int
    jobs: tuple[Job, ...]
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Outcome of `Train`: a digest of weights per job."""

    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is scored: an architecture with weights.

    Attributes:
        architecture: Of the problem's space (`search_spaces.search_space.Candidate`).
        weights: Digest of weights that a training of this search gave.
        action: What made it out of the step's reference, if one action did.
    """

    architecture: Any
    weights: str
    action: Edit | None = None

    def __post_init__(self) -> None:
        if self.weights == FIRST:
            raise UserError(
                "what is scored must have weights that a training gave, so that a checkpoint holds them; ask for a "
                "`Job` with `share=0` where nothing shall be trained"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What scores have to find out: which `num` of the subjects lose least, or most, for a millisecond that they save.

    Attributes:
        saved_ms: By each contestant, by its index among the subjects; positive, and 1 where plain losses count.
        num: Places.
        highest: Whether the highest values win, instead of the lowest.
        ordered: Whether the order among the `num` matters too.
        value: How losses are weighed; the algorithm decides by the same.
        needed_ms: The group ends once it saves so many; None = it is filled.
        excludes: Pairs of contestants that cannot both be executed.
        distances: How far contestants' pictures or outputs lie from the reference's, by their index, as a size and not
            as a square; it scales what their losses may be. Used where every contestant has one.
    """

    saved_ms: Mapping[int, float]
    num: int
    highest: bool = False
    ordered: bool = False
    value: ValueRule = field(default_factory=ValueRule)
    needed_ms: float | None = None
    excludes: frozenset[tuple[int, int]] = frozenset()
    distances: Mapping[int, float] = field(default_factory=dict)

    @property
    def contestants(self) -> tuple[int, ...]:
        """Indices among the subjects, in order."""
        return tuple(sorted(self.saved_ms))

    @property
    def choice(self) -> Choice:
        """The same for the contestants by their number, from 0."""
        numbers = {index: number for number, index in enumerate(self.contestants)}
        return Choice(
            saved_ms=tuple(self.saved_ms[index] for index in self.contestants),
            num=self.num,
            highest=self.highest,
            needed_ms=self.needed_ms,
            excludes=renumbered(self.excludes, numbers),
            larger_first=self.value.breaks_ties,
        )

    @property
    def sizes(self) -> list[float] | None:
        """The contestants' distances, in order; None unless all of them have one."""
        return by_index(self.distances, self.contestants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """What a cheap score said before a contest, and who gets prompts because of it.

    Attributes:
        by: Name of the cheap score.
        contest: The whole contest; that of the step holds those who get prompts, and the places that are left.
        changes: By each contestant of the whole contest, by its index among the subjects: how much it changes, by the
            cheap score.
        free: Those that provably change nothing, the largest saving first: no prompt is spent on them.
        contested: Those that are scored.
    """

    by: str
    contest: Contest
    changes: Mapping[int, float]
    free: tuple[int, ...] = ()
    contested: tuple[int, ...] = ()

    @property
    def dropped(self) -> tuple[int, ...]:
        """Contestants that are neither: they change too much for what they save, or others have filled the group."""
        return tuple(index for index in sorted(self.changes) if index not in self.free + self.contested)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score subjects, each on every prompt unless a contest is decided sooner.

    Attributes:
        round: The latest training's.
        subjects: What is scored; may be none where the reference alone is asked for.
        reference: What the subjects' losses are paired with; None = scores without losses.
        contest: What is to be decided; None = every subject gets every prompt.
        decision: What led here.
        by: Name of a score of the door `nas.scores`, one that the algorithm declares; "" = the run's own.
        prompts: On which captions.
        num_prompts: The first so many of them, of the run's own score in whole chunks; None = all.
        screening: Who of the subjects is scored at all; None = everybody.
        num_refused: Architectures that cheap limits refused before this step, so that nobody scores them.
    """

    round: int
    subjects: tuple[Subject, ...]
    reference: Subject | None = None
    contest: Contest | None = None
    decision: Decision | None = None
    by: str = ""
    prompts: PromptSet = PromptSet.DECIDING
    num_prompts: int | None = None
    screening: Screening | None = None
    num_refused: int = 0

    @property
    def scored(self) -> tuple[int, ...]:
        """Indices of the subjects that are scored."""
        return tuple(range(len(self.subjects))) if self.screening is None else self.screening.contested

    @property
    def is_plain(self) -> bool:
        """Whether it asks for the run's own score on the prompts that decide, as many as it takes."""
        return not self.by and self.prompts is PromptSet.DECIDING and self.num_prompts is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is known of one subject.

    Attributes:
        score: Mean over the prompts that it got.
        loss: Paired loss to the reference on these prompts, positive = worse; None without one.
    """

    score: Interval
    loss: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a contest was settled before every contestant had every prompt.

    Attributes:
        chosen: Indices of the subjects, best first. Never rank by means after a race: contestants were left with
            different numbers of prompts.
        ties: Pairs (chosen, displaced) within the tolerance.
    """

    chosen: tuple[int, ...]
    ties: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Outcome of `Score`.

    Attributes:
        estimates: One per subject; None for one that no prompt was spent on.
        reference: Of the reference, on every prompt; None without one.
        verdict: None where nothing was raced.
        changes: By index of a subject, how much it changes by the cheap score that screened; None without a screen.
    """

    estimates: tuple[Estimate | None, ...]
    reference: Estimate | None = None
    verdict: Verdict | None = None
    changes: Mapping[int, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One architecture that a search hands over.

    Attributes:
        subject: The architecture with its weights.
        round: The training that gave the weights.
        score: Its score.
        actions: What led there from the start, in order, if actions did.
        label: Tells results of one search apart; names files.
        missed_by: By how much each limit is missed, such as {"latency_ms": 0.3}; empty where all are kept.
        truth: Its score, and its loss to the base, on captions that no decision saw; None where none were held out.
        target_latency_ms: The target that it is for, where the problem has several; None = the problem's own.
    """

    subject: Subject
    round: int
    score: Interval
    actions: tuple[Any, ...] = ()
    label: str = "found"
    missed_by: Mapping[str, float] = field(default_factory=dict)
    truth: Estimate | None = None
    target_latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The search is over, unless it is extended.

    Attributes:
        results: The first is what the search found; more where a front or several targets were asked for.
        reason: Why it ended.
        base: Score of the architecture that it started with.
        decision: What led here.
        base_truth: Score of that architecture on captions that no decision saw; None where none were held out.
        is_front: Whether the results are a front of score and latency: of each nothing known is better in both.
    """

    results: tuple[Result, ...]
    reason: StopReason
    base: Interval
    decision: Decision | None = None
    base_truth: Interval | None = None
    is_front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extended:
    """Outcome of `Finish` when a finished search goes on: the problem from now on."""

    problem: Problem[Any]


Step: TypeAlias = Train | Score | Finish
Outcome: TypeAlias = Trained | Scored | Extended
