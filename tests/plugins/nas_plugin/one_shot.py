"""One-shot pruning: score every removal once, then remove the cheapest losses until the target is met.

It takes the losses of removals to add up, which is what Algorithm 1 does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from pydantic import Field

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.feasibility import allowed_removals
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Finish, Job, Outcome, Result, Score, Scored, Step, StopReason, Subject, Train, Trained
from nas.algorithms.value_score import ScoredAction, ranked
from nas.scores.intervals import Interval
from nas.settings import settings

DECLARATION: Final = Declaration(
    name="one_shot",
    paper="one-shot pruning by the value score; a plugin of the tests",
    cost="one scoring of every removal, and one of what is left",
    assumes_additivity=True,
    extends={"target_latency_ms": "lower"},
)


@settings
class OneShotSettings:
    """Of one-shot pruning."""

    spare: Annotated[float, Field(ge=0, lt=1, description="share of the target to stay below it")] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """Where a search stands.

    Attributes:
        problem: What is to be found.
        weights: Digest of the trained weights; "" before.
        order: Removals, the cheapest for their milliseconds first; None before they are scored.
        base: Score of the architecture that it starts with.
        found: Score of what is left.
    """

    problem: Problem[OneShotSettings]
    weights: str = ""
    order: tuple[Any, ...] | None = None
    base: Interval | None = None
    found: Interval | None = None

    def pruned(self) -> tuple[tuple[Any, ...], Any]:
        """The removals that are executed, and what is left."""
        problem, architecture, taken = self.problem, self.problem.first, list[Any]()
        for action in self.order or ():
            if problem.price_ms(architecture) <= problem.target_latency_ms * (1 - problem.settings.spare):
                break
            if problem.space.why_not(action, architecture=architecture) is None:
                architecture = action.apply(architecture)
                taken.append(action)
        return tuple(taken), architecture


class OneShotPruning:
    """Score once, prune once."""

    def __init__(self, settings: OneShotSettings, /) -> None:
        self.settings = settings

    @property
    def declaration(self) -> Declaration:
        """What it says of itself."""
        return DECLARATION

    def start(self, problem: Problem[OneShotSettings], /) -> OneShot:
        """Nothing is known yet."""
        return OneShot(problem=problem)

    def max_steps(self, problem: Problem[OneShotSettings], /) -> int:
        """A training, two scorings and the end."""
        return 4

    def step(self, state: OneShot, /) -> Step:
        """Train, score all removals, score what is left."""
        if not state.weights:
            return Train(round=0, jobs=(Job(architecture=state.problem.first),))
        first = Subject(architecture=state.problem.first, weights=state.weights)
        if state.order is None:
            actions = allowed_removals(state.problem, first.architecture)
            subjects = tuple(replace(first, architecture=a.apply(first.architecture), action=a) for a in actions)
            return Score(round=0, subjects=subjects, reference=first)
        taken, architecture = state.pruned()
        left = Subject(architecture=architecture, weights=state.weights)
        if state.found is None:
            return Score(round=0, subjects=(), reference=left)
        assert state.base is not None
        missed_ms = state.problem.price_ms(architecture) - state.problem.target_latency_ms
        missed_by: Mapping[str, float] = {"latency_ms": missed_ms} if missed_ms > 0 else {}
        reason = StopReason.INFEASIBLE if missed_by else StopReason.CONVERGED
        result = Result(subject=left, round=0, score=state.found, actions=taken, missed_by=missed_by)
        return Finish(results=(result,), reason=reason, base=state.base)

    def told(self, state: OneShot, step: Step, outcome: Outcome, /) -> OneShot:
        """The weights, the order, the score of what is left; or a tighter target."""
        match step, outcome:
            case Train(), Trained():
                return replace(state, weights=outcome.digests[0])
            case Score(), Scored() if outcome.reference is not None and state.order is None:
                return replace(state, order=_order(state.problem, step, outcome), base=outcome.reference.score)
            case Score(), Scored() if outcome.reference is not None:
                return replace(state, found=outcome.reference.score)
        assert not isinstance(outcome, (Trained, Scored))
        return replace(state, problem=outcome.problem, found=None)


def _order(problem: Problem[OneShotSettings], step: Score, outcome: Scored) -> tuple[Any, ...]:
    now_ms = problem.price_ms(problem.first)
    scored = [
        ScoredAction(action=s.action, d_clip=e.loss, d_latency_ms=now_ms - problem.price_ms(s.architecture))
        for s, e in zip(step.subjects, outcome.estimates, strict=True)
        if e is not None and e.loss is not None and s.action is not None
    ]
    return tuple(each.action for each in ranked(scored) if each.d_latency_ms > 0)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=OneShotSettings, make=OneShotPruning)
