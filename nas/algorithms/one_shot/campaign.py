"""The fold that train-once algorithms share: train, score batch after batch, recover what was found, finish. Pure.

A round is a batch. It begins with a `Train` of no steps, which names the weights, and its reference is the best
architecture so far, whose scores are known already: so a run's rounds show how the best one grew. The last round has
that architecture alone, after its recovery if there is one. What the algorithm itself decides is which architectures
come next: a function of the campaign, which holds all that was scored.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

import numpy as np
from pydantic import Field

from nas.algorithms.algorithm import Budget, Declaration
from nas.algorithms.feasibility import emptiest, fastest
from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.one_shot.proposer import removals
from nas.algorithms.problem import Problem
from nas.algorithms.steps import (
    FIRST,
    Decision,
    Extended,
    Finish,
    Job,
    Outcome,
    Recipe,
    Result,
    Score,
    Scored,
    Step,
    StopReason,
    Subject,
    Train,
    Trained,
)
from nas.scores.intervals import Interval
from nas.settings import settings

EXTENDS: Final = {"target_latency_ms": "lower"}  # with the same number of evaluations again


@settings
class BatchSettings:
    """What every algorithm that proposes batches can be told."""

    num_evaluations: Annotated[int, Field(ge=1, description="architectures to score, the start aside")] = 200
    batch_size: Annotated[int, Field(ge=1, description="architectures that are proposed at a time")] = 8


S = TypeVar("S", bound=BatchSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An architecture that was scored, in which round, and by which edit of the start where one edit made it."""

    architecture: Any
    round: int
    score: Interval
    action: Any = None


@dataclass(frozen=True, kw_only=True)
class Campaign(Generic[S]):
    """Where such a search stands.

    Attributes:
        problem: What is to be found.
        nearest: The fastest architecture, where even that misses the limits; else None.
        round: The current batch, or the last round.
        weights: Digest of the weights that everything is scored with.
        is_trained: Whether the round's training is done.
        tried: All that was scored, in order, the start first.
        num_before: How much of it does not count: the start, and what an earlier target asked for.
        memory: What the algorithm keeps besides, a frozen value.
        decision: What the latest scores led to; told with the next step.
        ending: Why nothing more is proposed.
        last_weights: Digest of the weights that the last round gave.
        found: Score of what was found, with these.
    """

    problem: Problem[S]
    nearest: Any = None
    round: int = 0
    weights: str = FIRST
    is_trained: bool = False
    tried: tuple[Tried, ...] = ()
    num_before: int = 1
    memory: Any = None
    decision: Decision | None = None
    ending: StopReason | None = None
    last_weights: str = FIRST
    found: Interval | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what is computed anew."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def known(self) -> frozenset[Any]:
        """The architectures that were scored."""
        return frozenset(each.architecture for each in self.tried)

    @cached_property
    def meeting(self) -> tuple[Tried, ...]:
        """What was scored and keeps the limits."""
        return tuple(each for each in self.tried if self.problem.meets(each.architecture))

    @cached_property
    def best(self) -> Tried:
        """The best that keeps the limits, the first of equals; the fastest while there is none."""
        if self.meeting:
            return max(self.meeting, key=self.value)
        return min(self.tried, key=lambda each: self.problem.price_ms(each.architecture))

    @property
    def rng(self) -> np.random.Generator:
        """All randomness of a step: a function of seed and round."""
        return np.random.default_rng([self.problem.seed, self.round])

    @property
    def num_left(self) -> int:
        """How many architectures may still be scored."""
        return self.problem.settings.num_evaluations - max(len(self.tried) - self.num_before, 0)

    @property
    def room(self) -> int:
        """How many architectures the next batch may have."""
        return min(self.problem.settings.batch_size, self.num_left)

    def value(self, tried: Tried, /) -> float:
        """A score as something to be made as high as possible."""
        return tried.score.mean if self.problem.higher_is_better else -tried.score.mean


Propose: TypeAlias = Callable[[Campaign[Any]], Iterable[Any]]
Learn: TypeAlias = Callable[[Campaign[Any], tuple[Tried, ...]], Any]
Note: TypeAlias = Callable[[Campaign[Any]], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class BatchSearch(Generic[S]):
    """An algorithm made of a function that proposes.

    Attributes:
        settings: Its settings.
        declaration: What it says of itself.
        propose: The next architectures, none of them scored before, at most `Campaign.room`; none = there is nothing
            more to try. In the first round nothing is scored yet, not even the start.
        learn: Its memory after a batch, asked with the campaign that has the batch already.
        note: What the trace shall tell.
        uncounted: How many architectures are scored besides `num_evaluations`, all in the first batch.
    """

    settings: S
    declaration: Declaration
    propose: Propose
    learn: Learn = lambda campaign, latest: campaign.memory
    note: Note = lambda campaign: {}
    uncounted: Callable[[Problem[Any]], int] = lambda problem: 0

    def start(self, problem: Problem[S], /) -> Campaign[S]:
        """Nothing is scored."""
        return Campaign(problem=problem, nearest=_nearest(problem), num_before=1 + self.uncounted(problem))

    def max_steps(self, problem: Problem[S], /) -> int:
        """Two for each batch of at least one, for a last one that is empty, and for the recovery; and the end."""
        return 2 * (problem.settings.num_evaluations + 3) + 1

    def budget(self, problem: Problem[S], /) -> Budget:
        """What the settings say: the scores decide which architectures are scored, not how many."""
        num, uncounted = problem.settings.num_evaluations, self.uncounted(problem)
        batches = -(-num // problem.settings.batch_size)
        if _nearest(problem) is not None:
            num, batches = 1, 1
        elif uncounted:
            num, batches = num + uncounted, batches + 2  # the first one, and one that need not be full
        return Budget(
            num_rounds=batches + 1,
            num_scorings=1 + num + problem.recovers,
            shares={Recipe.ROBUST: 1.0, Recipe.RECOVERY: float(problem.recovers)},
        )

    def step(self, state: Campaign[S], /) -> Step:
        """Name the weights and score a batch, over and over; at the end what was found alone."""
        problem, is_last = state.problem, state.ending is not None
        if state.ending is not None and state.found is not None:
            return _finish(state, state.ending, state.found)
        reference = state.best.architecture if state.tried else problem.first
        if not state.is_trained:
            recovers = is_last and problem.recovers
            job = Job(
                architecture=reference,
                recipe=Recipe.RECOVERY if recovers else Recipe.ROBUST,
                parent=state.weights,
                share=1.0 if recovers or state.weights == FIRST else 0.0,
            )
            return Train(round=state.round, jobs=(job,), decision=state.decision)
        return Score(
            round=state.round,
            subjects=() if is_last else _subjects(state, self.propose),
            reference=Subject(architecture=reference, weights=state.last_weights if is_last else state.weights),
        )

    def told(self, state: Campaign[S], step: Step, outcome: Outcome, /) -> Campaign[S]:
        """After weights, after a batch, or with a tighter limit."""
        match step, outcome:
            case Train(), Trained():
                state = replace(state, is_trained=True, decision=None)
                (digest,) = outcome.digests
                if state.ending is None:
                    return replace(state, weights=digest)
                return replace(state, last_weights=digest)
            case Score(), Scored() if state.ending is not None:
                assert outcome.reference is not None
                decision = Decision(round=state.round, stop=state.ending)
                return replace(state, found=outcome.reference.score, decision=decision)
            case Score(), Scored():
                return self._after(state, step, outcome)
            case Finish(), Extended():
                problem: Problem[Any] = outcome.problem
                return replace(
                    state, problem=problem, nearest=_nearest(problem), round=state.round + 1, is_trained=False,
                    num_before=len(state.tried), decision=None, ending=None, last_weights=FIRST, found=None,
                )  # fmt: skip
        raise AssertionError(f"{type(outcome).__name__} is no outcome of {type(step).__name__}")

    def _after(self, state: Campaign[S], step: Score, outcome: Scored) -> Campaign[S]:
        """The campaign after a batch."""
        assert step.reference is not None
        assert outcome.reference is not None
        start = Tried(architecture=step.reference.architecture, round=step.round, score=outcome.reference.score)
        latest = tuple(
            Tried(architecture=subject.architecture, round=step.round, score=estimate.score, action=subject.action)
            for subject, estimate in zip(step.subjects, outcome.estimates, strict=True)
            if estimate is not None
        )
        after = replace(state, tried=(*(state.tried or (start,)), *latest), is_trained=False)
        after = replace(after, memory=self.learn(after, latest))
        ending = None
        if after.nearest is not None:
            ending = StopReason.INFEASIBLE
        elif not step.subjects:
            ending = StopReason.CONVERGED
        elif after.num_left <= 0:
            ending = StopReason.BUDGET_SPENT
        notes = {"num_scored": len(after.tried) - 1, **self.note(after)}
        decision = Decision(round=state.round, notes=notes)
        return replace(after, decision=decision, ending=ending, round=state.round + 1)


def _subjects(state: Campaign[Any], propose: Propose) -> tuple[Subject, ...]:
    """The batch; what one edit makes of the start says so, as long as losses are paired to the start."""
    if state.nearest is not None:
        proposed = [] if state.nearest in (*state.known, state.problem.first) else [state.nearest]
    else:
        proposed = list(propose(state))
    edits = {}
    if not state.tried:
        edits = {edit.apply(state.problem.first): edit for edit in removals(state.problem, state.problem.first)}
    return tuple(Subject(architecture=each, weights=state.weights, action=edits.get(each)) for each in proposed)


def _nearest(problem: Problem[Any]) -> Any:
    """The fastest architecture where nothing keeps the limits; None where something does."""
    if problem.meets(problem.first) or problem.meets(emptiest(problem, problem.first)):
        return None
    quickest = fastest(problem, problem.first)
    return None if problem.meets(quickest) else quickest


def _finish(state: Campaign[Any], reason: StopReason, found: Interval) -> Finish:
    """The best that keeps the limits, or else the nearest."""
    best, problem = state.best.architecture, state.problem
    over_ms = problem.price_ms(best) - problem.target_latency_ms
    result = Result(
        subject=Subject(architecture=best, weights=state.last_weights),
        round=state.round,
        score=found,
        actions=_actions(problem, best),
        missed_by={} if problem.meets(best) else {"latency_ms": over_ms},
    )
    return Finish(results=(result,), reason=reason, base=state.tried[0].score, decision=state.decision)


def _actions(problem: Problem[Any], architecture: Any) -> tuple[Any, ...]:
    """The removals that lead from the start to an architecture; none where it takes others too."""
    genes = Genes.of(problem)
    levels = genes.levels(architecture)
    if genes.architecture(levels) != architecture:
        return ()
    return tuple(edit for edit, level in zip(genes.edits, levels, strict=True) for _ in range(level))
