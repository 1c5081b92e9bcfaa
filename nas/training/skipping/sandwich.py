"""The sandwich rule: the full network, the smallest one and random ones learn from every batch.

Yu and Huang 2019, "Universally slimmable networks and improved training techniques", section 3.2. Widths there are
blocks here; their distillation of the smaller ones from the full one is a setting of the training's objective.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.training.skipping.families import Family, draw, families_of
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.unets.space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """Several sub-networks per step: first the full one, then the smallest, then random ones, each once.

    Attributes:
        space: Sub-networks belong to it.
        architecture: The full network.
        smallest: Of those that are allowed.
        families: What random ones may lack, and how often.
        settings: Their number, and the ramp of their rates.
    """

    space: UNetSpace
    architecture: Architecture
    smallest: Architecture
    families: tuple[Family, ...]
    settings: Skipping

    @classmethod
    def make(
        cls, settings: Skipping, /, *, space: UNetSpace, architecture: Architecture, rates: Mapping[str, float]
    ) -> "Sandwich":
        """The strategy for an architecture."""
        return cls(
            space=space,
            architecture=architecture,
            smallest=smallest_of(space, architecture, rates),
            families=families_of(space, architecture, rates),
            settings=settings,
        )

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        """The full one, the smallest and `num_random` others, without those that are there already."""
        rng = np.random.default_rng([seed, step])
        strength = self.settings.strength(step=step, num_steps=num_steps)
        drawn = (
            draw(self.families, space=self.space, architecture=self.architecture, rng=rng, strength=strength)
            for _ in range(self.settings.num_random)
        )
        return tuple(dict.fromkeys((self.architecture, self.smallest, *drawn)))


def smallest_of(space: UNetSpace, architecture: Architecture, rates: Mapping[str, float], /) -> Architecture:
    """What is left when no removal is possible any more that spares the blocks of rate 0.

    Args:
        space: Offers the removals.
        architecture: Of the space.
        rates: Of blocks, by name.
    """
    while allowed := [
        action for action in space.removals(architecture) if all(rates[block] for block in space.touched(action))
    ]:
        architecture = allowed[0].apply(architecture)
    return architecture
