"""The knapsack: score every single edit once, then let an exact programme choose what goes under the limits. Pure.

NVIDIA's Puzzletron (arXiv 2411.19146) scores each replacement of a block alone, takes the losses to add up and solves
a mixed-integer programme; one scoring serves any number of targets. Here the assumption is measured: random
architectures at the limit are scored beside what the programme finds, the trace tells how well sums predict them, and
where they do not, pair terms are fitted (`additivity`) and the programme is solved again, batch after batch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.additivity import Additivity, LossModel, additivity, fitted
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.one_shot.programme import Programme, solve
from nas.algorithms.one_shot.proposer import draw, unseen
from nas.algorithms.problem import EVERYTHING, Problem
from nas.settings import settings

Vector = NDArray[np.float64]
MARGIN: Final = 1e-9  # of a limit, in ms or as a share of the start's cost: what sums of savings may err by
CHECKING: Final = 1  # the round in which random architectures are scored beside the programme's first choice

DECLARATION: Final = Declaration(
    name="knapsack",
    paper="Bercovich et al., Puzzle, ICML 2025 (arXiv 2411.19146), its integer programme; pair terms are ours",
    cost="every single edit once, then `num_evaluations` architectures of several edits; solving takes seconds",
    use="many targets or devices from one scoring; large spaces, since it asks for few architectures",
    assumes_additivity=True,
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class KnapsackSettings(BatchSettings):
    """Of the knapsack; `num_evaluations` counts what is scored after the single edits."""

    num_evaluations: Annotated[int, Field(ge=1, description="architectures to score after the single edits")] = 64
    num_checks: Annotated[
        int, Field(ge=0, description="random architectures at the limit, on which additivity is measured")
    ] = 8
    max_pairs: Annotated[
        int, Field(ge=0, description="pair terms that the programme may have; 0 = losses add up, whatever was measured")
    ] = 20


def propose(campaign: Campaign[KnapsackSettings], /) -> Iterator[Any]:
    """Single edits first; then random checks with the programme's choice; then its choices by all that is known."""
    problem, genes = campaign.problem, Genes.of(campaign.problem)
    if not campaign.tried:
        yield from _singles(genes)
        return
    known, num = {problem.first, *campaign.known}, campaign.room
    if campaign.round == CHECKING:
        rng, num_checks = campaign.rng, min(problem.settings.num_checks, num - 1)
        checked = unseen(lambda: draw(problem, rng=rng), known=known, num=num_checks)
        yield from checked
        known, num = known | set(checked), 1
    yield from _chosen(Scoring.of(campaign, genes), known=known, num=num)


def note(campaign: Campaign[KnapsackSettings], /) -> Mapping[str, float]:
    """How well the losses of single edits add up, once that is measured."""
    scoring = Scoring.of(campaign, Genes.of(campaign.problem)) if campaign.round == CHECKING else None
    measured = scoring.additivity() if scoring is not None and not campaign.is_hopeless else None
    if measured is None:
        return {}
    return {"num_checked": measured.num, "additivity_r2": measured.r2, "additivity_error": measured.error}


def num_singles(problem: Problem[Any], /) -> int:
    """How many architectures the single edits are."""
    return sum(Genes.of(problem).most)


def _singles(genes: Genes) -> Iterator[Any]:
    """Each edit executed once, twice and so on, alone."""
    for edit, level in genes.steps:
        yield genes.architecture([level if edit == other else 0 for other in range(len(genes.most))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What was scored, as numbers: a column for each time that an edit can be executed.

    Attributes:
        genes: The edits.
        chosen: (n, k), 0 or 1.
        lost: (n,) by each architecture.
        rounds: (n,) in which it was scored.
        single: (k,) what each column loses alone.
    """

    genes: Genes
    chosen: Vector
    lost: Vector
    rounds: NDArray[np.int64]
    single: Vector

    @classmethod
    def of(cls, campaign: Campaign[KnapsackSettings], genes: Genes, /) -> Self:
        """The scoring of a campaign."""
        first, *tried = campaign.tried
        chosen = np.array([genes.flat(each.architecture) for each in tried])
        lost = np.array([campaign.value(first) - campaign.value(each) for each in tried])
        rows = {tuple(row): loss for row, loss in zip(chosen.tolist(), lost, strict=True)}
        single = []
        for edit, level in genes.steps:
            alone = [rows[tuple(genes.column(edit, up_to=each))] if each else 0.0 for each in (level, level - 1)]
            single.append(alone[0] - alone[1])
        rounds = np.array([each.round for each in tried])
        return cls(genes=genes, chosen=chosen, lost=lost, rounds=rounds, single=np.array(single))

    def additivity(self) -> Additivity | None:
        """Measured on the random checks, which nobody chose for their losses; None where there are none."""
        checks = np.flatnonzero((self.rounds == CHECKING) & (self.chosen.sum(axis=1) > 1))[:-1]
        if not len(checks):
            return None
        return additivity(self.chosen[checks], self.lost[checks], single=self.single)

    def model(self) -> LossModel:
        """What is believed of losses by now."""
        if not self.genes.problem.settings.max_pairs:
            return LossModel(losses=self.single, pairs={})
        return fitted(self.chosen, self.lost, single=self.single)


def _chosen(scoring: Scoring, /, *, known: set[Any], num: int) -> Iterator[Any]:
    """What the programme chooses by all that is believed, and the best near it, none of which anybody has scored."""
    genes, model, problem = scoring.genes, scoring.model(), scoring.genes.problem
    best = solve(_programme(genes, model))
    if best is None:
        return
    near = {best: model.predicted(np.array(best))}
    for flips in (*combinations(range(len(best)), 1), *combinations(range(len(best)), 2)):
        flipped = tuple(chosen ^ (column in flips) for column, chosen in enumerate(best))
        if all(flipped[before] >= flipped[after] for before, after in genes.chains):
            near[flipped] = model.predicted(np.array(flipped))
    found = 0
    for choice in sorted(near, key=lambda each: (near[each], each)):
        architecture = genes.architecture(genes.levels_of(choice))
        if architecture in known:
            continue
        if problem.refuses(architecture):  # counted, and not scored
            yield architecture
        elif problem.meets(architecture):
            known, found = known | {architecture}, found + 1
            yield architecture
        if found == num:
            return


def _programme(genes: Genes, model: LossModel) -> Programme:
    """The programme of a belief, a row for each device and each further limit; of its pair terms the largest."""
    problem = genes.problem
    rows = []
    for each_ms in getattr(problem.price_ms, "parts", (problem.price_ms,)):
        saved_ms, need_ms = _row(genes, each_ms, problem.target_latency_ms)
        rows.append((saved_ms, need_ms - MARGIN))
    for limit in problem.limits:  # as shares of what the start has: rows of like size are solved well
        has, (saved, need) = limit.cost(problem.first), _row(genes, limit.cost, limit.most)
        rows.append((saved / has, need / has - MARGIN))
    largest = sorted(model.pairs, key=lambda pair: (-abs(model.pairs[pair]), pair))[: problem.settings.max_pairs]
    return Programme(
        losses=model.losses,
        savings=np.array([saved for saved, _ in rows]),
        need=np.array([need for _, need in rows]),
        chains=genes.chains,
        pairs={pair: model.pairs[pair] for pair in largest},
    )


def _row(genes: Genes, cost: Callable[[Any], float], most: float) -> tuple[Vector, float]:
    """What each column saves of a cost, and what has to be saved of it; costs of single edits are taken to add up."""
    first, alone = cost(genes.problem.first), [cost(each) for each in _singles(genes)]
    saved = [
        (before if level > 1 else first) - after
        for (_, level), before, after in zip(genes.steps, [first, *alone[:-1]], alone, strict=True)
    ]
    return np.array(saved), first - most


def make(settings: KnapsackSettings, /) -> BatchSearch[KnapsackSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose, note=note, uncounted=num_singles)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=KnapsackSettings, make=make)
