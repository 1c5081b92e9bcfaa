"""Which actions a step may execute, and how often: in units of the space's own actions, at the rates of the blocks.

A *unit* is a removal that the space offers for the architecture that is trained: one layer of a transformer, or what is
tied, such as a stage's cross-attention in the stock space. Units overlap there: a pair of positions shares its
cross-attention with that of its stage, and the mid block as a whole contains its halves. Hence this law:

1. Units that take from a common block, or of which no architecture lacks both, are of one *family*. Of a family at most
   one unit goes in a step, families are independent. So how often a block goes is the sum of its units' rates.
2. No block goes more often than its own rate says, and every unit holds a block that goes exactly as often: all units'
   rates rise together, and a unit stops as soon as one of its blocks has its rate (max-min fairness). Where nothing
   overlaps, as in the space of any architecture, each block goes exactly as often as its rate says. In the stock space
   it cannot be so for all: of SD-1.5's innermost stages one of two positions down goes with one of three up, so that
   those up go less often; and the halves of the mid block share its cross-attention with the whole.
3. A unit that went goes again, where it still can, with the rate of its blocks. So of a stack of n layers, from whose
   end actions take, at least j are gone with probability p^j: the last one with p.

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An action that steps execute.

    Attributes:
        action: A removal.
        rate: How often a step executes it.
        again: How often it goes on with the same once more.
    """

    action: AnyAction
    rate: float
    again: float


Family = tuple[Unit, ...]


def families_of(space: UNetSpace, architecture: Architecture, rates: Mapping[str, float], /) -> tuple[Family, ...]:
    """The families of all units that an architecture offers, with the law's rates.

    Args:
        space: Offers the removals.
        architecture: Of the space.
        rates: Of blocks, by name; units that take from a block of rate 0 are none.

    Raises:
        UserError: Rates that are too high for what is tied together: those of a family add up to more than 1.
    """
    touched = {action: space.touched(action) for action in space.removals(architecture)}
    blocks = {action: names for action, names in touched.items() if all(rates[name] for name in names)}
    shares = _max_min_fair(list(blocks.values()), rates)
    families = tuple(
        tuple(
            Unit(action=action, rate=share, again=min(rates[block] for block in blocks[action]))
            for action, share in zip(blocks, shares, strict=True)
            if action in members
        )
        for members in _groups(blocks, space, architecture)
    )
    _check_sums(families, rates)
    return families


def draw(
    families: Sequence[Family],
    /,
    *,
    space: UNetSpace,
    architecture: Architecture,
    rng: np.random.Generator,
    strength: float = 1.0,
) -> Architecture:
    """An architecture of the space from which units are gone at random.

    Args:
        families: Of the architecture, in the space.
        space: What is drawn belongs to it.
        architecture: Where the units are taken from.
        rng: Source of the draws.
        strength: What every rate is multiplied with, in [0, 1].
    """
    drawn = architecture
    for family in families:
        unit = _chosen(family, rng.random(), strength)
        while unit is not None and space.why_not(unit.action, architecture=drawn) is None:
            drawn = unit.action.apply(drawn)
            if rng.random() >= unit.again * strength:
                break
    return drawn


def _chosen(family: Family, number: float, strength: float) -> Unit | None:
    reached = 0.0
    for unit in family:
        reached += unit.rate * strength
        if number < reached:
            return unit
    return None


def _max_min_fair(units: Sequence[frozenset[str]], rates: Mapping[str, float]) -> list[float]:
    """A rate for each unit, such that no block's units add up to more than its rate and none could have more alone."""
    shares, rising = [0.0] * len(units), set(range(len(units)))
    while rising:
        loads: dict[str, list[int]] = {}
        for index, unit in enumerate(units):
            for block in unit:
                loads.setdefault(block, []).append(index)
        room = {
            block: (rates[block] - sum(shares[i] for i in load)) / num
            for block, load in loads.items()
            if (num := len(rising.intersection(load)))
        }
        step = min(room.values())
        for index in rising:
            shares[index] += step
        full = {block for block, left in room.items() if left <= step * (1 + 1e-9)}
        rising = {index for index in rising if not units[index] & full}
    return shares


def _groups(
    blocks: Mapping[AnyAction, frozenset[str]], space: UNetSpace, architecture: Architecture
) -> list[set[AnyAction]]:
    """Actions that exclude one another, directly or over others, in the order of the space's removals."""
    group = {action: {action} for action in blocks}
    for one, other in combinations(blocks, 2):
        if group[one] is group[other]:
            continue
        if blocks[one] & blocks[other] or space.why_not(other, architecture=one.apply(architecture)) is not None:
            group[one] |= group[other]
            group |= dict.fromkeys(group[other], group[one])
    return list({id(members): members for members in group.values()}.values())


def _check_sums(families: Sequence[Family], rates: Mapping[str, float]) -> None:
    """Check that of no family more than one unit would have to go in a step."""
    family = max(families, key=_sum, default=())
    if (total := _sum(family)) > 1 + 1e-9:
        touched = sorted({step.block for unit in family for step in unit.action.blocks})
        highest = max(rates[block] for block in touched)
        raise UserError(
            f"`drop_probability` and the rates of kinds and stages must be at most {highest / total:.3g} for blocks "
            f"that the space ties together, but are up to {highest:.3g}: of {len(family)} actions on "
            f"{', '.join(touched)} a step executes one at most; lower them, or protect blocks"
        )


def _sum(family: Family) -> float:
    return sum(unit.rate for unit in family)
