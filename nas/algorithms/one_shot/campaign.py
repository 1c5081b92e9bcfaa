"""The fold that train-once algorithms share: train, score batch after batch, recover what was found, finish. Pure.

A round is a batch. It begins with a `Train` of no steps, which names the weights, and its reference is the best
architecture so far, whose scores are known already: so a run's rounds show how the best one grew. The last round has
that architecture alone, after its recovery if there is one. What the algorithm itself decides is which architectures
come next: a function of the campaign, which holds all that was scored. Of several targets the batches aim at one after
the other, the hardest first, and each has a result out of all that was scored.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np
from pydantic import Field

from nas.algorithms.algorithm import Budget, Declaration
from nas.algorithms.feasibility import emptiest, fastest, nearest
from nas.algorithms.one_shot.proposer import removals
from nas.algorithms.one_shot.tried import Tried, point_of, result_of
from nas.algorithms.problem import Problem, within_limits
from nas.algorithms.steps import (
    FIRST,
    Decision,
    Extended,
    Finish,
    Job,
    Outcome,
    Recipe,
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


@dataclass(frozen=True, kw_only=True)
class Campaign(Generic[S]):
    """Where such a search stands.

    Attributes:
        problem: What is to be found.
        nearest: Something that keeps the limits; where nothing does, what comes nearest.
        round: The current batch, or the last round.
        weights: Digest of the weights that everything is scored with.
        is_trained: Whether the round's training is done.
        tried: All that was scored, in order, the start first.
        num_before: How much of it does not count: the start, and what an earlier target asked for.
        memory: What the algorithm keeps besides, a frozen value.
        memories: The same of the other targets, in the order of the batches that aim at them.
        num_empty: Batches on end for which nothing was left to propose.
        decision: What the latest scores led to; told with the next step.
        ending: Why nothing more is proposed.
        last_weights: Digest of the weights that the last round gave.
        found: Score of what was found, with these.
    """

    problem: Problem[S]
    nearest: Any
    round: int = 0
    weights: str = FIRST
    is_trained: bool = False
    tried: tuple[Tried, ...] = ()
    num_before: int = 1
    memory: Any = None
    memories: tuple[Any, ...] = ()
    num_empty: int = 0
    decision: Decision | None = None
    ending: StopReason | None = None
    last_weights: str = FIRST
    found: Interval | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what is computed anew."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def is_hopeless(self) -> bool:
        """Whether nothing keeps the limits."""
        return not self.problem.meets(self.nearest)

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
        """The best that keeps the limits, the first of equals; the nearest while there is none."""
        if self.meeting:
            return max(self.meeting, key=self.value)
        problem = self.problem
        return min(self.tried, key=lambda each: problem.distance(problem.missed_by(each.architecture)))

    def at(self, target_ms: float, /) -> Self:
        """The same with a target alone."""
        if self.problem.targets_ms == (target_ms,):
            return self
        return replace(self, problem=replace(self.problem, target_latency_ms=target_ms, easier_targets_ms=()))

    @property
    def aimed(self) -> Self:
        """The same with the target of its batch alone."""
        hardest_first = self.problem.targets_ms[::-1]
        return self.at(hardest_first[self.round % len(hardest_first)])

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
HandOver: TypeAlias = Callable[[Campaign[Any]], Iterable[Tried]]


@dataclass(frozen=True, kw_only=True)
class BatchSearch(Generic[S]):
    """An algorithm made of a function that proposes.

    Attributes:
        settings: Its settings.
        declaration: What it says of itself.
        propose: The next architectures, none of them scored before, at most `Campaign.room`; none = there is nothing
            more to try. In the first round nothing is scored yet, not even the start. What the limits refuse may be
            among them, beside these: it is counted and not scored.
        learn: Its memory after a batch, asked with the campaign that has the batch already.
        note: What the trace shall tell.
        uncounted: How many architectures are scored besides `num_evaluations`, all in the first batch, for what
            they do alone: the limits refuse none of them.
        beside: The front whose first is the best of all: what is handed over with it, as it was scored.
    """

    settings: S
    declaration: Declaration
    propose: Propose
    learn: Learn = lambda campaign, latest: campaign.memory
    note: Note = lambda campaign: {}
    uncounted: Callable[[Problem[Any]], int] = lambda problem: 0
    beside: HandOver = lambda campaign: ()

    def start(self, problem: Problem[S], /) -> Campaign[S]:
        """Nothing is scored."""
        return Campaign(
            problem=problem,
            nearest=_nearest(problem),
            num_before=1 + self.uncounted(problem),
            memories=(None,) * len(problem.easier_targets_ms),
        )

    def max_steps(self, problem: Problem[S], /) -> int:
        """Two for each batch of at least one, for a first one that does not count, and for the recovery; and the end.

        Between two batches of at least one there may be an empty one for each further target.
        """
        return 2 * (problem.settings.num_evaluations * len(problem.targets_ms) + 2) + 1

    def budget(self, problem: Problem[S], /) -> Budget:
        """What the settings say: the scores decide which architectures are scored, not how many."""
        num, uncounted = problem.settings.num_evaluations, self.uncounted(problem)
        batches = -(-num // problem.settings.batch_size)
        if not problem.meets(_nearest(problem)):
            num, batches = 1, 1
        elif uncounted:
            num, batches = num + uncounted, batches + 2  # the first one, and one that need not be full
        batches += len(problem.easier_targets_ms)  # as many need not be full
        return Budget(
            num_rounds=batches + 1,
            num_scorings=1 + num + problem.recovers,
            shares={Recipe.ROBUST: 1.0, Recipe.RECOVERY: float(problem.recovers)},
        )

    def step(self, state: Campaign[S], /) -> Step:
        """Name the weights and score a batch, over and over; at the end what was found alone."""
        problem, is_last = state.problem, state.ending is not None
        if state.ending is not None and state.found is not None:
            return self._finish(state, state.ending, state.found)
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
        subjects, num_refused = ((), 0) if is_last else self._batch(state)
        return Score(
            round=state.round,
            subjects=subjects,
            reference=Subject(architecture=reference, weights=state.last_weights if is_last else state.weights),
            num_refused=num_refused,
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
                    num_empty=0, memories=(None,) * len(problem.easier_targets_ms),
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
        memory, *memories = (*state.memories, self.learn(after.aimed, latest))
        num_empty = 0 if step.subjects else state.num_empty + 1
        after = replace(after, memory=memory, memories=tuple(memories), num_empty=num_empty)
        ending = None
        if after.is_hopeless:
            ending = StopReason.INFEASIBLE
        elif num_empty == len(after.problem.targets_ms):
            ending = StopReason.CONVERGED
        elif after.num_left <= 0:
            ending = StopReason.BUDGET_SPENT
        notes = {"num_scored": len(after.tried) - 1, **self.note(after)}
        decision = Decision(round=state.round, notes=notes)
        return replace(after, decision=decision, ending=ending, round=state.round + 1)

    def _batch(self, state: Campaign[S]) -> tuple[tuple[Subject, ...], int]:
        """The batch, and how many architectures the limits refused of those that were proposed for it.

        What one edit makes of the start says so, as long as losses are paired to the start.
        """
        state = state.aimed
        problem, edits, num_refused = state.problem, dict[Any, Any](), 0
        if not state.tried:
            edits = {edit.apply(problem.first): edit for edit in removals(problem, problem.first)}
        proposed: tuple[Any, ...] = ()
        if not state.is_hopeless:
            proposed = tuple(dict.fromkeys(self.propose(state)))
            if state.tried or not self.uncounted(problem):
                proposed, num_refused = within_limits(problem, proposed)
        if not proposed and not state.meeting:  # nothing keeps the limits, or nobody drew what does
            proposed = tuple({state.nearest} - state.known - {problem.first})
        subjects = (Subject(architecture=each, weights=state.weights, action=edits.get(each)) for each in proposed)
        return tuple(subjects), num_refused

    def _finish(self, state: Campaign[S], reason: StopReason, found: Interval) -> Finish:
        """The best that keeps the limits, or else the nearest; with it the front, or the best for easier targets."""
        problem, best = state.problem, replace(state.best, round=state.round, score=found)
        front = tuple(each for each in self.beside(state) if each != state.best)
        easier = problem.easier_targets_ms[::-1]
        if easier:
            hardest_ms, aims = problem.target_latency_ms, [state.at(ms) for ms in easier]
            first = result_of(problem, best, weights=state.last_weights, target_ms=hardest_ms)
            others = [
                result_of(aim.problem, aim.best, weights=state.weights, target_ms=ms)
                for aim, ms in zip(aims, easier, strict=True)
            ]
        else:
            first = result_of(problem, best, weights=state.last_weights)
            others = [point_of(problem, each, weights=state.weights) for each in front]
        return Finish(
            results=(first, *others),
            is_front=bool(front) and not easier,
            reason=reason,
            base=state.tried[0].score,
            decision=state.decision,
        )


def _nearest(problem: Problem[Any]) -> Any:
    """Something that keeps the limits, the start first of all; where nothing does, what comes nearest."""
    for found in (problem.first, emptiest(problem, problem.first)):
        if problem.meets(found):
            return found
    return nearest(problem, fastest(problem, problem.first))
