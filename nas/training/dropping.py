"""Which blocks a training step leaves out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from nas.training.settings import RobustTrainingSettings
from search_spaces.actions import GENES
from search_spaces.architecture import Architecture
from search_spaces.blocks import BlockKind
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import UNetSpace

NO_EXCEPTIONS: Final[Mapping[str, float]] = MappingProxyType({})


def drop_blocks(
    architecture: Architecture,
    /,
    *,
    probability: float,
    rng: np.random.Generator,
    by_stage: Mapping[str, float] = NO_EXCEPTIONS,
    protected: Collection[str] = (),
) -> Architecture:
    """An architecture from which each block has been left out with a probability.

    Args:
        architecture: Where the blocks come from; one draw per block and copy.
        probability: Chance of each block to be skipped, in [0, 1).
        rng: Source of the draws.
        by_stage: Other chances for the blocks of one kind and stage: {"cross_attention[down.0]": 0.5}.
        protected: Blocks that always run, named as in actions: "cross_attention[up.3,0]".
    """
    dropped = architecture
    for place, position in architecture.positions():
        genes = {}
        for kind in (BlockKind.CROSS_ATTENTION, BlockKind.RESNET):
            count = getattr(position, GENES[kind])
            kept = int(np.sum(rng.random(count) >= by_stage.get(f"{kind}[{place}]", probability)))
            genes[GENES[kind]] = count if f"{kind}[{place},{position.source}]" in protected else kept
        dropped = dropped.with_position(place, replace(position, **genes))
    return dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropping:
    """Leaves each block out by itself, as often as settings say.

    Attributes:
        architecture: Where the blocks come from.
        settings: How often.
        protected: Blocks that always run.
    """

    architecture: Architecture
    settings: RobustTrainingSettings
    protected: frozenset[str] = frozenset()

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        """What a step trains: one sub-network; see `nas.training.skipping.strategy`."""
        dropped = drop_blocks(
            self.architecture,
            probability=self.settings.drop_probability,
            rng=np.random.default_rng([seed, step]),
            by_stage=self.settings.drop_probability_by_stage,
            protected=self.protected,
        )
        return (dropped,)


def check_stages(space: UNetSpace, by_stage: Mapping[str, float], /) -> None:
    """Check that every kind and stage with a chance of its own exists.

    Raises:
        ValueError: Stages that the model does not have.
    """
    known = sorted({f"{b.kind}[{b.stage}]" for action in space.removals(space.base) for b in action.blocks})
    if unknown := sorted(set(by_stage) - set(known)):
        raise UserError(
            f"`drop_probability_by_stage` names stages that the model does not have: {unknown}; choose among {known}"
        )
