"""Local search: go to the first better neighbour, and begin anew where there is none (arXiv 2004.08996). Pure.

Simple, and hard to beat where scores are nearly free of noise (White et al., section 4). A neighbour is a removal, a
return, or an exchange of both, so that a search at the limit can move along it.
"""

from collections.abc import Iterator
from typing import Any, Final

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.proposer import draw, first_unseen, neighbours, returns, unseen
from nas.algorithms.one_shot.tried import Tried
from nas.algorithms.problem import EVERYTHING
from nas.settings import settings

DECLARATION: Final = Declaration(
    name="local_search",
    paper="White et al., Local Search is State of the Art for NAS Benchmarks, 2020 (arXiv 2004.08996)",
    cost="`num_evaluations` scorings; within a batch they are independent of each other",
    use="the bar to beat: few settings, no assumption, moves along the limit",
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class LocalSettings(BatchSettings):
    """Of local search: a batch goes to its best neighbour, if that is better; a batch of 1 to the first better one."""


def propose(campaign: Campaign[LocalSettings], /) -> tuple[Any, ...]:
    """Neighbours of where it stands; draws where it stands nowhere."""
    problem, rng, standing = campaign.problem, campaign.rng, campaign.memory
    known = {problem.first, *campaign.known}
    if standing is not None and problem.meets(standing.architecture):
        around = neighbours(problem, standing.architecture, rng=rng)
        if found := first_unseen(around, known=known, num=campaign.room):
            return (*found, *_refused(campaign, standing))
    return unseen(lambda: draw(problem, rng=rng), known=known, num=campaign.room)


def _refused(campaign: Campaign[LocalSettings], standing: Tried) -> Iterator[Any]:
    """Neighbours that the limits refuse, when a search looks around for the first time: counted, and not scored."""
    if campaign.round == standing.round + 1:
        around = (action.apply(standing.architecture) for action in returns(campaign.problem, standing.architecture))
        yield from filter(campaign.problem.refuses, around)


def learn(campaign: Campaign[LocalSettings], latest: tuple[Tried, ...], /) -> Tried | None:
    """Where it stands now: at the best of the batch if that is better, and nowhere once all neighbours are known."""
    standing: Tried | None = campaign.memory
    if not latest:
        return None
    best = max(latest, key=campaign.value)
    if standing is None or campaign.value(best) > campaign.value(standing):
        return best
    around = neighbours(campaign.problem, standing.architecture, rng=campaign.rng)
    return standing if first_unseen(around, known=campaign.known, num=1) else None


def make(settings: LocalSettings, /) -> BatchSearch[LocalSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose, learn=learn)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=LocalSettings, make=make)
