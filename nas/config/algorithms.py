"""Names of search algorithms become algorithms here: ours, and those of plugins (entry points of `nas.algorithms`)."""

from typing import Any

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.evolving import ArchitectureEvolving
from nas.config.sections import EVOLVING, SearchConfig


def make_algorithm(search: SearchConfig, /) -> Algorithm[Any]:
    """The algorithm that a config names, with its settings.

    Raises:
        ValueError: There is none of that name, or it cannot have these settings.
    """
    if search.algorithm == EVOLVING:
        return ArchitectureEvolving(search)
    raise ValueError(f"there is no algorithm {search.algorithm!r}")
