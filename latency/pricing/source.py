"""The door of pricing: what a search asks for milliseconds.

`LatencyTable` is one source, a fitted or analytical model of a device can be another. An importer needs no door: it
reads a profiler's files and returns a `LatencyTable`, one number per model file, with `Protocol.importer` and `sources`
filled.
"""

from collections.abc import Iterable
from typing import Protocol

from latency.pricing.prediction import LatencyPrediction
from search_spaces import BlockSignature, Site


class LatencySource(Protocol):
    """Prices any architecture of a space."""

    @property
    def digest(self) -> str:
        """Digest of everything that predictions depend on."""
        ...

    def require(self, signatures: Iterable[BlockSignature], /) -> None:
        """Check that every signature can be priced.

        Raises:
            ValueError: Some cannot; the message lists all of them.
        """
        ...

    def predict(self, sites: Iterable[Site], /) -> LatencyPrediction:
        """Latency of one forward pass of the architecture that consists of `sites`."""
        ...
