"""Re-ranking: finalists of a search get the same short recovery trainings, and are scored again after each. Pure.

Ranks with weights that nobody trained for the architectures are known to flip when weights recover (Yu et al.,
Evaluating the Search Phase of Neural Architecture Search, ICLR 2020, arXiv 1902.08142). Lengths grow, each going on
from the weights of the one before; with `keep` below 1 only the best go on after each (successive halving, Jamieson
and Talwalkar, AISTATS 2016, arXiv 1502.07943).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.problem import LATENCY, MACS, PARAMS, SCORE, Problem
from nas.algorithms.steps import (
    FIRST,
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
from search_spaces.files.user_error import UserError

DECLARATION: Final = Declaration(
    name="rerank",
    paper="Yu et al., ICLR 2020 (arXiv 1902.08142), ranks that flip; Jamieson and Talwalkar, AISTATS 2016 "
    "(arXiv 1502.07943), successive halving",
    cost="finalists x lengths scorings, and finalists x the longest recovery training; fewer with `keep` below 1",
    use="a last choice among what another search found, after recovery: `nas rerank RUN` writes its settings",
    takes=frozenset({LATENCY, PARAMS, MACS, SCORE}),
)


@settings
class RerankingSettings:
    """What is ranked again, and how long it recovers."""

    finalists: Annotated[
        tuple[Mapping[str, Any], ...], Field(description="architectures as specs hold them, best first; `nas rerank`")
    ]
    lengths: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...],
        Field(description="shares of the recovery training after which finalists are scored; they rise"),
    ] = (0.0, 0.25, 0.5, 1.0)
    keep: Annotated[
        float, Field(gt=0, le=1, description="share of finalists that go on after each length; 0.5 = halving")
    ] = 1.0
    parent: Annotated[str, Field(description="digest of the config of the search that they are from")] = ""

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.lengths) < 2 or list(self.lengths) != sorted(set(self.lengths)):
            raise UserError(f"`lengths` must be two or more that rise, but got {list(self.lengths)}")
        if len(self.finalists) < 2:
            raise UserError(f"a ranking needs two finalists or more, but got {len(self.finalists)}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Where a re-ranking stands.

    Attributes:
        problem: What they are to keep.
        finalists: All of them, in the order before.
        alive: Indices of those that go on.
        weights: Digest of each one's latest weights, by its index.
        round: Index of the current length.
        is_trained: Whether `weights` are of that length.
        scores: Latest score of each, with the round that it is of and the weights that it was scored with.
        base: Score of the architecture that the search started with, and digest of its weights.
    """

    problem: Problem[RerankingSettings]
    finalists: tuple[Any, ...]
    alive: tuple[int, ...]
    weights: tuple[str, ...]
    round: int = 0
    is_trained: bool = False
    scores: tuple[tuple[int, Interval, str] | None, ...]
    base: Interval | None = None

    @property
    def is_over(self) -> bool:
        """Whether the longest training is scored."""
        return self.round == len(self.problem.settings.lengths)


class Reranking:
    """Finalists on growing recovery trainings.

    Args:
        settings: Which finalists, how long.
    """

    def __init__(self, settings: RerankingSettings, /) -> None:
        self.settings = settings

    @property
    def declaration(self) -> Declaration:
        """What it says of itself."""
        return DECLARATION

    def start(self, problem: Problem[RerankingSettings], /) -> Ranking:
        """Nothing is trained.

        Raises:
            ValueError: A finalist that is no architecture of the space, or the same twice.
        """
        read = type(problem.space.base).from_dict
        finalists = tuple(read(genes) for genes in problem.settings.finalists)
        for finalist in finalists:
            problem.space.check(finalist)
        if len(set(finalists)) < len(finalists):
            raise UserError(f"finalists must differ, but got {[each.arch_id for each in finalists]}")
        num = len(finalists)
        return Ranking(
            problem=problem,
            finalists=finalists,
            alive=tuple(range(num)),
            weights=(FIRST,) * num,
            scores=(None,) * num,
        )

    def max_steps(self, problem: Problem[RerankingSettings], /) -> int:
        """A training and a scoring per length, and the end."""
        return 2 * len(problem.settings.lengths) + 1

    def step(self, state: Ranking, /) -> Step:
        """Train those that are left to the next length, then score them."""
        if state.is_over:
            return _finish(state)
        lengths = state.problem.settings.lengths
        if not state.is_trained:
            share = lengths[state.round] - (lengths[state.round - 1] if state.round else 0.0)
            jobs = [
                Job(
                    architecture=state.finalists[index],
                    recipe=Recipe.RECOVERY,
                    parent=state.weights[index],
                    share=share,
                )
                for index in state.alive
            ]
            if state.round == 0:  # the start as it is, for comparison
                jobs.append(Job(architecture=state.problem.first, recipe=Recipe.RECOVERY, share=0.0))
            return Train(round=state.round, jobs=tuple(jobs))
        subjects = [Subject(architecture=state.finalists[i], weights=state.weights[i]) for i in state.alive]
        reference = None
        if state.base is None:
            reference = Subject(architecture=state.problem.first, weights=state.weights[-1])
        return Score(round=state.round, subjects=tuple(subjects), reference=reference)

    def told(self, state: Ranking, step: Step, outcome: Outcome, /) -> Ranking:
        """The state after a training or a scoring."""
        match step, outcome:
            case Train(), Trained():
                weights = dict(enumerate(state.weights)) | dict(zip(state.alive, outcome.digests, strict=False))
                own = tuple(weights[index] for index in range(len(state.finalists)))
                # Those of the start stand behind the finalists' until it is scored.
                return replace(state, weights=(*own, *outcome.digests[len(state.alive) :]), is_trained=True)
            case Score(), Scored():
                return _ranked(state, outcome)
        raise AssertionError(f"{type(outcome).__name__} is no outcome of {type(step).__name__}")


def _ranked(state: Ranking, outcome: Scored) -> Ranking:
    """The state after a scoring: the best go on."""
    scores = list(state.scores)
    for index, estimate in zip(state.alive, outcome.estimates, strict=True):
        if estimate is not None:
            scores[index] = (state.round, estimate.score, state.weights[index])
    state = replace(
        state,
        scores=tuple(scores),
        weights=state.weights[: len(state.finalists)],
        base=outcome.reference.score if outcome.reference is not None else state.base,
    )
    num = max(1, ceil(state.problem.settings.keep * len(state.alive)))
    best = [index for index in _order(state) if index in state.alive][:num]
    return replace(state, alive=tuple(sorted(best)), round=state.round + 1, is_trained=False)


def _order(state: Ranking) -> tuple[int, ...]:
    """Indices of finalists, the best first: by the longest training that each got, then by its score."""
    sign = 1 if state.problem.higher_is_better else -1

    def key(index: int) -> tuple[int, float, int]:
        scored = state.scores[index]
        return (-scored[0], -sign * scored[1].mean, index) if scored is not None else (1, 0.0, index)

    return tuple(sorted(range(len(state.finalists)), key=key))


def _finish(state: Ranking) -> Finish:
    """The finalists in their new order, those that keep all limits first; of the rest the nearest."""
    problem = state.problem
    assert state.base is not None
    results = []
    for index in _order(state):
        scored = state.scores[index]
        assert scored is not None, "the first length scores all"
        number, score, weights = scored
        architecture = state.finalists[index]
        results.append(
            Result(
                subject=Subject(architecture=architecture, weights=weights),
                round=number,
                score=score,
                label=f"finalist-{index + 1}",
                missed_by=problem.missed_by(architecture, score=score.mean),
            )
        )
    results.sort(key=lambda result: problem.distance(result.missed_by) + (SCORE in result.missed_by))
    reason = StopReason.INFEASIBLE if results[0].missed_by else StopReason.CONVERGED
    return Finish(results=tuple(results), reason=reason, base=state.base)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=RerankingSettings, make=Reranking)
