"""Predicted milliseconds of architectures, each computed once."""

from latency.pricing.table import LatencyTable
from search_spaces.architecture import Architecture
from search_spaces.unet_space import UNetSpace


class Pricer:
    """Predicted milliseconds of architectures, each computed once."""

    def __init__(self, table: LatencyTable, /, *, space: UNetSpace, context_tokens: int) -> None:
        self._table, self._space, self._context_tokens = table, space, context_tokens
        self._known: dict[Architecture, float] = {}

    def __call__(self, architecture: Architecture, /) -> float:
        """Predicted milliseconds of one forward pass."""
        if architecture not in self._known:
            sites = self._space.sites(architecture, context_tokens=self._context_tokens)
            self._known[architecture] = self._table.predict(sites).total_ms
        return self._known[architecture]
