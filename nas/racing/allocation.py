"""Who gets the next prompts of a race that is decided by the expected opportunity cost: rules, as functions.

Each takes what is known and the contestants that still lack prompts, and gives how much each of them deserves more, at
least 0. Which is best was found by replay: docs/decisions_under_noise.md.
"""

from typing import Final, Protocol

import numpy as np

from nas.values.belief import Belief
from nas.values.certainty import Regrets
from nas.values.group import Bools, Choice
from nas.values.sample import Floats, Losses

LEAST: Final = 1e-12


class Allocation(Protocol):
    """How much each contestant deserves more prompts."""

    def __call__(self, losses: Losses, choice: Choice, /, *, taken: Bools, regrets: Regrets) -> Floats:
        """(K,) merits, at least 0."""
        ...


def everyone(losses: Losses, choice: Choice, /, *, taken: Bools, regrets: Regrets) -> Floats:
    """All alike: a look is as long as the prompts that it adds."""
    return np.ones(len(losses.means))


def by_regret(losses: Losses, choice: Choice, /, *, taken: Bools, regrets: Regrets) -> Floats:
    """By the opportunity cost of the draws in which a contestant is wrongly in or out, over its prompts.

    A top-two rule with costs: what is never mistaken gets nothing, what is mistaken dearly gets most.
    """
    blamed: Floats = (regrets.costs[:, None] * regrets.differs).mean(axis=0) / losses.nums
    return blamed


def ocba_m(losses: Losses, choice: Choice, /, *, taken: Bools, regrets: Regrets) -> Floats:
    """OCBA-m (Chen, He, Fu and Lee 2008, "Efficient simulation budget allocation for selecting an optimal subset").

    Prompts in proportion to (spread / distance from the border between the group and the rest)^2, all in value.
    """
    values = Belief.after(losses).means / losses.saved_ms
    spreads = losses.spreads / losses.saved_ms
    inside, outside = values[taken], values[~taken]
    if not len(inside) or not len(outside):
        return np.ones(len(values))
    worst, rival = (inside.min(), outside.max()) if choice.highest else (inside.max(), outside.min())
    gaps = np.maximum(np.abs(values - (worst + rival) / 2), LEAST)
    merits: Floats = (spreads / gaps) ** 2 / losses.nums
    return merits
