"""How often blocks are skipped: one value that every strategy reads."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from nas.settings import settings

Rate: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
DEFAULT_RATE: Final = 0.1


class StrategyName(StrEnum):
    """The strategies, by the names that configs have."""

    INDEPENDENT = "independent"
    SANDWICH = "sandwich"


@settings
class Skipping:
    """How often blocks are skipped; the most particular rate that fits a block counts.

    Attributes:
        strategy: Which sub-networks a step trains.
        probability: Rate of every block.
        by_kind: Other rates of a kind's blocks: {"resnet": 0.05}.
        by_stage: Other rates of a stage's blocks, or of one kind's there: {"up.3": 0.2, "resnet[down.0]": 0.05}.
        ramp: Share of the training in which rates rise from 0, in a straight line; 0 = they are as set from the start.
        num_random: Random sub-networks per step of the sandwich.
    """

    strategy: StrategyName = StrategyName.INDEPENDENT
    probability: Rate = DEFAULT_RATE
    by_kind: Mapping[str, Rate] = field(default_factory=dict)
    by_stage: Mapping[str, Rate] = field(default_factory=dict)
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.0
    num_random: Annotated[int, Field(ge=1)] = 2

    def strength(self, *, step: int, num_steps: int) -> float:
        """What all rates are multiplied with in a step: rising from 0 to 1 where there is a ramp."""
        rising = self.ramp * num_steps
        return min(1.0, step / rising) if rising else 1.0
