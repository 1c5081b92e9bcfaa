"""Regularized evolution: the youngest live, the best of a few of them has a child (arXiv 1802.01548). Pure.

The population is what was scored last, so that a lucky score dies with its age: that is the regularisation.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.proposer import draw, edited, to_limit, unseen
from nas.algorithms.problem import EVERYTHING
from nas.settings import settings

DECLARATION: Final = Declaration(
    name="regularized_evolution",
    paper="Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019 (arXiv 1802.01548)",
    cost="`num_evaluations` scorings; within a batch they are independent of each other",
    use="large spaces and noisy scores, with hundreds of evaluations",
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class RegularizedSettings(BatchSettings):
    """Of regularized evolution."""

    population_size: Annotated[int, Field(ge=1, description="the youngest so many may have children")] = 30
    sample_size: Annotated[int, Field(ge=1, description="the best of so many, drawn from them, has one")] = 8


def propose(campaign: Campaign[RegularizedSettings], /) -> tuple[Any, ...]:
    """Draws until the population is full, then children."""
    problem, rng, settings = campaign.problem, campaign.rng, campaign.problem.settings
    known = {problem.first, *campaign.known}
    population = campaign.meeting[-settings.population_size :]
    if len(population) < settings.population_size:
        num = min(campaign.room, settings.population_size - len(population))
        return unseen(lambda: draw(problem, rng=rng), known=known, num=num) or _children(campaign, population, known)
    return _children(campaign, population, known)


def _children(campaign: Campaign[RegularizedSettings], population: tuple[Any, ...], known: set[Any]) -> tuple[Any, ...]:
    problem, rng, num = campaign.problem, campaign.rng, campaign.problem.settings.sample_size
    if not population:
        return ()
    refused = []

    def child() -> Any:
        drawn = rng.choice(len(population), size=min(num, len(population)), replace=False)
        parent = max((population[index] for index in sorted(drawn)), key=campaign.value)
        born = edited(problem, parent.architecture, rng=rng)
        if problem.refuses(born):
            refused.append(born)
        return to_limit(problem, born, rng=rng)

    return (*unseen(child, known=known, num=campaign.room), *refused)


def make(settings: RegularizedSettings, /) -> BatchSearch[RegularizedSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=RegularizedSettings, make=make)
