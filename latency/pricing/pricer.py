"""Prices of architectures from prices of blocks, each worked out once; one by one, or many at once."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from latency.pricing.lookup import GenePrices
from latency.pricing.prediction import LatencyPrediction
from latency.pricing.source import BlockPrices, Latency
from latency.timing.estimator import Array
from search_spaces.architecture import Architecture
from search_spaces.unets.space import UNetSpace


class Pricer:
    """Predicted milliseconds of the architectures of one space.

    Args:
        blocks: What blocks cost: a `LatencyTable`, or a formula.
        space: The space.
        context_tokens: Text tokens that cross-attentions read.
        height: Latent height; 0 = the model's own.
        width: Latent width; 0 = the model's own.
    """

    def __init__(
        self, blocks: BlockPrices, /, *, space: UNetSpace, context_tokens: int, height: int = 0, width: int = 0
    ) -> None:
        self._blocks, self._space = blocks, space
        self._sizes = {"height": height, "width": width, "context_tokens": context_tokens}
        self._known: dict[Architecture, float] = {}
        self._lookup: GenePrices | Literal[False] | None = None  # False: prices have to be asked for one by one

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_known": {}, "_lookup": None}

    @property
    def relative_error(self) -> float:
        """Relative standard error of saved milliseconds: values that differ by less are ties."""
        return self._blocks.relative_error

    def __call__(self, architecture: Architecture, /) -> float:
        """Predicted milliseconds of one forward pass."""
        if architecture not in self._known:
            self._known[architecture] = self.prediction(architecture).total_ms
        return self._known[architecture]

    def latency(self, architecture: Architecture, /) -> Latency:
        """Predicted milliseconds with their uncertainty."""
        prediction = self.prediction(architecture)
        return Latency(ms=prediction.total_ms, error_ms=prediction.error_ms)

    def prediction(self, architecture: Architecture, /) -> LatencyPrediction:
        """One forward pass, block by block."""
        return self._blocks.predict(self._space.sites(architecture, **self._sizes))

    def milliseconds(self, architectures: Sequence[Architecture], /) -> Array:
        """Predicted milliseconds of many (n,).

        Those that have every position of the base model are looked up, all at once; others are priced one by one.

        Raises:
            ArchitectureError: One is not in the space.
            ValueError: One holds a block that has no price.
        """
        if self._lookup is None:
            self._lookup = _gene_prices(self._blocks, space=self._space, sizes=self._sizes)
        lookup = self._lookup
        whole = [index for index, wanted in enumerate(architectures) if lookup and lookup.has_genes(wanted)]
        prices = np.empty(len(architectures))
        if lookup and whole:
            prices[whole] = lookup.milliseconds(lookup.genes([architectures[index] for index in whole]))
        for index in set(range(len(architectures))).difference(whole):
            prices[index] = self(architectures[index])
        return prices


def _gene_prices(blocks: BlockPrices, /, *, space: UNetSpace, sizes: dict[str, int]) -> GenePrices | Literal[False]:
    """Prices by gene; False where a space ties its genes together, or not all of it has prices."""
    try:
        return GenePrices(blocks, space=space, sizes=sizes)
    except ValueError:
        return False
