"""Architecture evolving: SnapFusion's Algorithm 1 (arXiv 2306.00980, section 3.2), behind the door of algorithms.

A round trains the current architecture, scores its removals and executes what `nas.algorithms.proposal` decides. Where
there is nothing left to decide, a last round trains without skipping blocks (recovery) and scores the architecture
alone. The best round that keeps all limits is what was found, or else the nearest. Of several targets the easier ones
are passed on the way to the hardest: a round stands at each, and has its result. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.deciding import certainty_of, weighed_losses
from nas.algorithms.problem import EVERYTHING, SCORE, Problem
from nas.algorithms.proposal import Proposal, candidates, contest, num_refused, propose
from nas.algorithms.settings import EVOLVING, EvolvingSettings
from nas.algorithms.steps import (
    FIRST,
    Decision,
    Estimate,
    Extended,
    Finish,
    Job,
    Outcome,
    PromptSet,
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
from nas.algorithms.value_score import ScoredAction, ranked
from nas.scores.intervals import Interval
from search_spaces.actions import Sign
from search_spaces.search_space import Edit

DECLARATION: Final = Declaration(
    name=EVOLVING,
    paper="Li et al., SnapFusion, NeurIPS 2023 (arXiv 2306.00980), Algorithm 1",
    cost="a round scores every removal of the current architecture: removals x rounds scorings, fewer by racing",
    use="weights that adapt to each removal by training between the rounds: the paper's search",
    extends={"target_latency_ms": "lower", "max_rounds": "higher", "max_copies": "higher"},
    takes=EVERYTHING,
    contests=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """A round: the architecture that it scored, the actions that led there, its weights, score and price."""

    round: int
    architecture: Any
    actions: tuple[Edit, ...]
    weights: str
    score: Interval
    latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """Where a search stands.

    Attributes:
        problem: What is to be found.
        architecture: The current one.
        actions: What led there from the start.
        round: The current round.
        weights: Digest of the latest weights.
        is_trained: Whether they are the current round's.
        stopped: Why nothing more is decided, while the recovery round is still to come.
        finished: Why the search is over.
        decision: What the latest scores led to; told with the next step.
        rounds: Rounds that were scored.
        finals: Scores of the finalists on more prompts, by round; None before they were asked for.
        final_base: Score of the start on these prompts.
    """

    problem: Problem[EvolvingSettings]
    architecture: Any
    actions: tuple[Edit, ...] = ()
    round: int = 0
    weights: str = FIRST
    is_trained: bool = False
    stopped: StopReason | None = None
    finished: StopReason | None = None
    decision: Decision | None = None
    rounds: tuple[RoundResult, ...] = ()
    finals: Mapping[int, Interval] | None = None
    final_base: Interval | None = None

    @property
    def finalists(self) -> tuple[RoundResult, ...]:
        """The rounds of which the best are found: those that keep all limits and meet the easiest target."""
        easiest_ms = self.problem.targets_ms[0]
        return tuple(
            each
            for each in self.rounds
            if not self.problem.missed_by(each.architecture, score=each.score.mean, target_latency_ms=easiest_ms)
        )

    @property
    def is_recovering(self) -> bool:
        """Whether the round has nothing left to decide, so that it scores the architecture alone."""
        if self.stopped is not None or self.round >= self.problem.settings.max_rounds:
            return True
        return self.problem.meets(self.architecture) and self.num_copies >= self.problem.settings.max_copies

    @property
    def num_copies(self) -> int:
        """A+ executed so far."""
        return sum(action.sign is Sign.COPY for action in self.actions)


class ArchitectureEvolving:
    """Algorithm 1.

    Args:
        settings: Its open points, decided.
    """

    def __init__(self, settings: EvolvingSettings, /) -> None:
        self.settings = settings

    @property
    def declaration(self) -> Declaration:
        """What it says of itself."""
        return DECLARATION

    def start(self, problem: Problem[EvolvingSettings], /) -> Evolution:
        """At the architecture that the problem starts with."""
        return Evolution(problem=problem, architecture=problem.first)

    def max_steps(self, problem: Problem[EvolvingSettings], /) -> int:
        """Two for each round, the one without a decision and the recovery included, the finals and the end."""
        return 2 * (problem.settings.max_rounds + 2) + 2

    def step(self, state: Evolution, /) -> Step:
        """Train the round, then score it, until there is nothing left to decide."""
        if state.finished is not None:
            if state.problem.has_finals and state.finals is None and len(state.finalists) > 1:
                return _finals(state)
            return _finish(state, state.finished)
        if not state.is_trained:
            recipe = Recipe.RECOVERY if state.is_recovering else Recipe.ROBUST
            job = Job(architecture=state.architecture, recipe=recipe, parent=state.weights)
            return Train(round=state.round, jobs=(job,), decision=state.decision)
        reference = Subject(architecture=state.architecture, weights=state.weights)
        if state.is_recovering:
            return Score(round=state.round, subjects=(), reference=reference)
        aim = state.problem.toward(state.architecture)
        options = candidates(aim, state.architecture)
        return Score(
            round=state.round,
            subjects=tuple(
                Subject(architecture=action.apply(state.architecture), weights=state.weights, action=action)
                for action in options
            ),
            reference=reference,
            contest=contest(aim, state.architecture, options=options),
            num_refused=num_refused(aim, state.architecture, options=options),
        )

    def told(self, state: Evolution, step: Step, outcome: Outcome, /) -> Evolution:
        """The state after a training, a scoring, or an extension of a finished search."""
        match step, outcome:
            case Train(), Trained():
                return replace(state, weights=outcome.digests[0], is_trained=True, decision=None)
            case Score(prompts=PromptSet.FINAL), Scored(reference=Estimate() as base):
                scores = [estimate.score for estimate in outcome.estimates if estimate is not None]
                rounds = [each.round for each in state.finalists]
                finals = dict(zip(rounds, scores, strict=True))
                return replace(state, finals=finals, final_base=base.score, decision=None)
            case Score(), Scored():
                return _decided(state, step, outcome)
            case Finish(), Extended():
                problem: Problem[Any] = outcome.problem
                return replace(
                    state, problem=problem, round=state.round + 1, is_trained=False, stopped=None, finished=None,
                    decision=None, finals=None, final_base=None,
                )  # fmt: skip
        raise AssertionError(f"{type(outcome).__name__} is no outcome of {type(step).__name__}")


def _decided(state: Evolution, step: Score, outcome: Scored) -> Evolution:
    """The state after a round's scores."""
    assert outcome.reference is not None
    problem = state.problem
    result = RoundResult(
        round=state.round,
        architecture=state.architecture,
        actions=state.actions,
        weights=state.weights,
        score=outcome.reference.score,
        latency_ms=problem.price_ms(state.architecture),
    )
    if state.stopped is not None:
        proposal = Proposal(stop=state.stopped)
    elif not problem.keeps_score(result.score.mean):
        proposal = Proposal(stop=StopReason.SCORE_FLOOR)
    else:
        proposal = propose(
            problem.toward(state.architecture),
            state.architecture,
            ranking=_ranking(state, step, outcome),
            num_rounds=state.round,
            num_copies=state.num_copies,
        )
    taken = {action if action.sign is Sign.REMOVE else action.inverse for action in proposal.actions}
    certain = certainty_of(step, outcome, taken=[i for i, s in enumerate(step.subjects) if s.action in taken])
    is_over = proposal.stop is not None and (state.is_recovering or not problem.recovers)
    state = replace(
        state,
        rounds=(*state.rounds, result),
        decision=Decision(
            round=state.round,
            actions=proposal.actions,
            stop=proposal.stop if is_over else None,
            certainty=certain,
        ),
    )
    if is_over:
        return replace(state, finished=proposal.stop)
    architecture = state.architecture
    for action in proposal.actions:
        architecture = action.apply(architecture)
    return replace(
        state,
        architecture=architecture,
        actions=state.actions + proposal.actions,
        round=state.round + 1,
        is_trained=False,
        stopped=proposal.stop,
    )


def _ranking(state: Evolution, step: Score, outcome: Scored) -> tuple[ScoredAction, ...]:
    """Scored removals by their values, the lowest first; a race's chosen stand where `propose` takes from.

    Means over different prompts do not rank the chosen before the dropped; the verdict does.
    """
    price_ms = state.problem.price_ms
    now_ms = price_ms(state.architecture)
    weights = weighed_losses(step.contest, outcome)
    by_index = {
        index: ScoredAction(
            action=subject.action,
            d_clip=estimate.loss,
            d_latency_ms=now_ms - price_ms(subject.architecture),
            weighed=weights.get(index),
        )
        for index, (subject, estimate) in enumerate(zip(step.subjects, outcome.estimates, strict=True))
        if estimate is not None and estimate.loss is not None and subject.action is not None
    }
    ranking = ranked(by_index.values())
    if outcome.verdict is None or step.contest is None:
        return ranking
    chosen = tuple(by_index[index] for index in outcome.verdict.chosen)
    others = tuple(scored for scored in ranking if scored not in chosen)
    return (*others, *reversed(chosen)) if step.contest.highest else (*chosen, *others)


def _finals(state: Evolution) -> Score:
    """The rounds that meet a target, on more prompts."""
    start = state.rounds[0]
    return Score(
        round=state.round,
        subjects=tuple(Subject(architecture=each.architecture, weights=each.weights) for each in state.finalists),
        reference=Subject(architecture=start.architecture, weights=start.weights),
        decision=state.decision,
        prompts=PromptSet.FINAL,
    )


def _finish(state: Evolution, reason: StopReason) -> Finish:
    """The best round for every target, the hardest first."""
    targets = state.problem.targets_ms[::-1]
    return Finish(
        results=tuple(_result(state, target, alone=len(targets) == 1) for target in targets),
        reason=reason,
        base=state.rounds[0].score if state.final_base is None else state.final_base,
        decision=state.decision,
    )


def _result(state: Evolution, target_ms: float, *, alone: bool) -> Result:
    """The best round that keeps all limits, or else the nearest; one below the worst allowed score is the last resort.

    Args:
        state: At the end.
        target_ms: The target that it is for.
        alone: Whether it is the only one.
    """
    problem, finals = state.problem, state.finals or {}
    scores = {result.round: finals.get(result.round, result.score) for result in state.rounds}

    def missed(result: RoundResult) -> dict[str, float]:
        score = scores[result.round].mean
        return problem.missed_by(result.architecture, score=score, target_latency_ms=target_ms)

    meeting = [result for result in state.rounds if not missed(result)]
    sign = 1 if problem.higher_is_better else -1
    if meeting:
        best = max(meeting, key=lambda r: sign * scores[r.round].mean)
    else:
        best = min(state.rounds, key=lambda r: (SCORE in missed(r), problem.distance(missed(r)), r.latency_ms))
    found = Result(
        subject=Subject(architecture=best.architecture, weights=best.weights),
        round=best.round,
        score=scores[best.round],
        actions=best.actions,
        missed_by=missed(best),
    )
    return found if alone else replace(found, label=f"{target_ms:.3f}ms", target_latency_ms=target_ms)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=EvolvingSettings, make=ArchitectureEvolving)
