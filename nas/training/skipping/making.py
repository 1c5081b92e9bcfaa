"""From settings to a strategy: the one place that knows strategies by name."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from nas.training.skipping.independent import Independent
from nas.training.skipping.rates import rates_of
from nas.training.skipping.sandwich import Sandwich
from nas.training.skipping.settings import Skipping, StrategyName
from nas.training.skipping.strategy import SkipStrategy
from search_spaces.architecture import Architecture
from search_spaces.unets.space import UNetSpace

_STRATEGIES: Final[Mapping[StrategyName, Callable[..., SkipStrategy]]] = MappingProxyType(
    {StrategyName.INDEPENDENT: Independent.make, StrategyName.SANDWICH: Sandwich.make}
)


def skip_strategy(
    settings: Skipping, /, *, space: UNetSpace, architecture: Architecture, protected: Collection[str] = ()
) -> SkipStrategy:
    """What says which sub-networks each step of a training trains.

    Args:
        settings: Strategy and rates.
        space: Sub-networks belong to it; its actions are what a step executes.
        architecture: What is trained.
        protected: Blocks that are never skipped, named as in actions: "cross_attention[up.3,0]".

    Raises:
        UserError: Kinds, stages or blocks that the model does not have, or rates that are too high for what is tied.
    """
    rates = rates_of(space, settings, protected=protected)
    return _STRATEGIES[settings.strategy](settings, space=space, architecture=architecture, rates=rates)
