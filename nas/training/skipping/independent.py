"""Every block is skipped at its own rate, independently of those it is not tied to; after stochastic depth.

Huang et al. 2016, "Deep networks with stochastic depth"; SnapFusion, section 3.1, calls it stochastic forward
propagation. The law, in units of the space's actions, stands in `nas.training.skipping.families`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.training.skipping.families import Family, draw, families_of
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.unets.space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Independent:
    """One sub-network per step.

    Attributes:
        space: Sub-networks belong to it.
        architecture: What is trained.
        families: What may be skipped, and how often.
        settings: The ramp.
    """

    space: UNetSpace
    architecture: Architecture
    families: tuple[Family, ...]
    settings: Skipping

    @classmethod
    def make(
        cls, settings: Skipping, /, *, space: UNetSpace, architecture: Architecture, rates: Mapping[str, float]
    ) -> "Independent":
        """The strategy for an architecture."""
        families = families_of(space, architecture, rates=rates)
        return cls(space=space, architecture=architecture, families=families, settings=settings)

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        """The one that a seed and a step determine."""
        rng = np.random.default_rng([seed, step])
        strength = self.settings.strength(step=step, num_steps=num_steps)
        return (draw(self.families, space=self.space, architecture=self.architecture, rng=rng, strength=strength),)
