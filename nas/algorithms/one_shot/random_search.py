"""Random search: architectures drawn at the limit, the best is kept. The least that a search must beat. Pure."""

from typing import Any, Final

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.proposer import draw, unseen
from nas.algorithms.problem import EVERYTHING
from nas.settings import settings

DECLARATION: Final = Declaration(
    name="random_search",
    paper="Li and Talwalkar, Random Search and Reproducibility for NAS, UAI 2019 (arXiv 1902.07638)",
    cost="`num_evaluations` scorings, all independent of each other",
    use="the bar for every other algorithm; where scores say nothing of neighbours",
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class RandomSettings(BatchSettings):
    """Of random search."""


def propose(campaign: Campaign[RandomSettings], /) -> tuple[Any, ...]:
    """Draws that nobody has scored."""
    problem, rng = campaign.problem, campaign.rng
    return unseen(lambda: draw(problem, rng=rng), known={problem.first, *campaign.known}, num=campaign.room)


def make(settings: RandomSettings, /) -> BatchSearch[RandomSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=RandomSettings, make=make)
