"""The two doors of this package: what prices blocks, and what runs them.

`LatencySource` is what a search asks; `LatencyTable` is one, a fitted or analytical model of a device can be another.
`Backend` is what measuring asks; `latency.backends.torch_eager` is one. An importer needs no door: it reads a
profiler's files and returns a `LatencyTable`, one number per model file, with `Protocol.importer` and `sources` filled.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from latency.pricing.prediction import LatencyPrediction
from search_spaces import BlockSignature, Site

if TYPE_CHECKING:
    pass


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
