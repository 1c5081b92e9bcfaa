"""Layouts that people picked by hand for well-known models, carried over to the model at hand. A bar to clear. Pure.

BK-SDM takes a pair of every stage (and the middle, and the innermost stages) out of SD-1.5; SSD-1B, Segmind-Vega and
KOALA make SDXL's transformers shallower. A layout is taken where the model has the same places and can go to it by
removals alone; one that misses the limits is thinned evenly until it keeps them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import Field

from nas.algorithms.algorithm import AlgorithmKind, Declaration
from nas.algorithms.one_shot.campaign import EXTENDS, BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.layouts.thinning import spread, thinned
from nas.algorithms.one_shot.proposer import first_unseen, returns
from nas.algorithms.problem import EVERYTHING, Problem
from nas.settings import settings
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.known.architectures import KNOWN_ARCHITECTURES, base_space

DECLARATION: Final = Declaration(
    name="handpicked",
    paper="layouts of BK-SDM (arXiv 2305.15798), SSD-1B and Segmind-Vega (2401.02677), KOALA (2312.04005)",
    cost="one scoring for each layout that the model can express, and one of an even thinning",
    use="the bar that published compressions set",
    extends=EXTENDS,
    takes=EVERYTHING,
)


@settings
class HandpickedSettings(BatchSettings):
    """Of handpicked layouts."""

    num_evaluations: Annotated[int, Field(ge=1, description="layouts to score at most")] = 12
    batch_size: Annotated[int, Field(ge=1, description="layouts that are scored at a time")] = 12


def layouts(problem: Problem[Any], /) -> dict[str, Any]:
    """The layouts that the problem's space can express, by name, each brought within the limits."""
    if not isinstance(problem.space.base, Architecture):
        return {}
    found = {}
    for name, known in KNOWN_ARCHITECTURES.items():
        layout = carried_over(known.build(), onto=problem.space.base, base=base_space(known.base).base)
        if layout is None:
            continue
        try:
            problem.space.check(layout)
        except ArchitectureError:
            continue
        layout = _with_protected(problem, layout)
        if problem.meets(layout):
            found[name] = layout
        elif (thinner := thinned(problem, layout)) is not None:
            found[f"{name}-thinned"] = thinner
    return found


def carried_over(layout: Architecture, /, *, onto: Architecture, base: Architecture) -> Architecture | None:
    """A layout of one base model on another's architecture; None where places, depths or removals do not fit.

    Args:
        layout: The layout.
        onto: The architecture that it is carried over to.
        base: The architecture that it was picked from.
    """
    places = {(place, position.source): position for place, position in onto.positions()}
    picked_from = {(place, position.source): position for place, position in base.positions()}
    picked = {(place, position.source): position for place, position in layout.positions()}
    if places != picked_from:
        return None
    for (place, source), own in places.items():
        there = picked.get((place, source))
        resnets, depth = (0, 0) if there is None else (there.resnets, there.cross_attentions)
        if resnets > own.resnets or depth > own.cross_attentions:
            return None
        onto = onto.with_position(place, replace(own, resnets=resnets, cross_attentions=depth))
    return onto


def propose(campaign: Campaign[HandpickedSettings], /) -> tuple[Any, ...]:
    """The layouts; an even thinning at the end, so that there is always something."""
    problem = campaign.problem
    picked = [*layouts(problem).values(), *spread(problem, problem.first, num=1)]
    return first_unseen(picked, known={problem.first, *campaign.known}, num=campaign.room)


def note(campaign: Campaign[HandpickedSettings], /) -> Mapping[str, float]:
    """The score of each layout, by its name."""
    scores = {each.architecture: each.score.mean for each in campaign.tried}
    return {name: scores[layout] for name, layout in layouts(campaign.problem).items() if layout in scores}


def _with_protected(problem: Problem[Any], architecture: Any) -> Any:
    """An architecture with the protected blocks that it lacks."""
    while gone := [a for a in returns(problem, architecture) if problem.space.touched(a) & problem.protected]:
        architecture = gone[0].apply(architecture)
    return architecture


def make(settings: HandpickedSettings, /) -> BatchSearch[HandpickedSettings]:
    """The algorithm."""
    return BatchSearch(settings=settings, declaration=DECLARATION, propose=propose, note=note)


KIND: Final = AlgorithmKind(declaration=DECLARATION, settings=HandpickedSettings, make=make)
