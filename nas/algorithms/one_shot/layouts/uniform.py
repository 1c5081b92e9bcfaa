"""Uniform thinning as an algorithm: a handful of even spreads at the limit, the best is kept. A bar to clear. Pure."""

from typing import Annotated, Any, Final

from pydantic import Field

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.layouts.thinning import spread
from nas.algorithms.one_shot.proposer import first_unseen
from nas.algorithms.problem import EVERYTHING
from nas.settings import settings

DECLARATION: Final = Declaration(
    name="uniform",
    paper="none: every n-th block goes, as a person would thin a network without looking at it",
    cost="at most `num_evaluations` scorings, one for each phase of the spread",
    use="a bar that any search must clear",
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class UniformSettings(BatchSettings):
    """Of uniform thinning."""

    num_evaluations: Annotated[int, Field(ge=1, description="phases of the spread to score")] = 8


def propose(campaign: Campaign[UniformSettings], /) -> tuple[Any, ...]:
    """Every phase that gives an architecture of its own."""
    problem = campaign.problem
    spreads = spread(problem, problem.first, num=problem.settings.num_evaluations)
    return first_unseen(spreads, known={problem.first, *campaign.known}, num=campaign.room)


def make(settings: UniformSettings, /) -> BatchSearch[UniformSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=UniformSettings, make=make)
