"""The door of pricing: what a search asks for milliseconds, whoever answers.

A *source* is a table, a formula, live measurement, or a plugin's; the *prices* that it makes for one space are what a
search holds. `BlockPrices` is the door within: whatever prices single blocks (a `LatencyTable`, a formula) becomes
prices of architectures by `latency.pricing.pricer.Pricer`. An importer needs no door here: it reads a profiler's files
and returns a `LatencyTable`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from latency.pricing.prediction import LatencyPrediction
from latency.timing.estimator import Array
from search_spaces import Architecture, BlockSignature, Site, UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a source's milliseconds are of, in names for people.

    Attributes:
        model: Name of the base model.
        device: What people call the machine.
        compute_unit: Which of its units runs the model: "cpu", "gpu", "npu"; "" = not told.
        runtime: What runs it there; "" = not told.
    """

    model: str
    device: str
    compute_unit: str = ""
    runtime: str = ""

    @property
    def name(self) -> str:
        """Model and compute unit: the first part of a found architecture's name."""
        return "_".join(filter(None, (self.model, self.compute_unit)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds of one forward pass.

    Attributes:
        ms: The value.
        error_ms: Its standard error.
    """

    ms: float
    error_ms: float


class Prices(Protocol):
    """Milliseconds of any architecture of one space, each worked out once.

    A value: asked again, or in another order, it says the same. Pickled, it leaves its caches behind.
    """

    @property
    def relative_error(self) -> float:
        """Relative standard error of saved milliseconds, in [0, 1): values that differ by less are ties."""
        ...

    def __call__(self, architecture: Architecture, /) -> float:
        """Milliseconds of one forward pass."""
        ...

    def latency(self, architecture: Architecture, /) -> Latency:
        """Milliseconds of one forward pass with their uncertainty."""
        ...

    def milliseconds(self, architectures: Sequence[Architecture], /) -> Array:
        """Milliseconds of many, (n,): as one by one, up to the last bits of a float."""
        ...


@runtime_checkable
class ItemisedPrices(Protocol):
    """Prices that know what every block costs."""

    def prediction(self, architecture: Architecture, /) -> LatencyPrediction:
        """One forward pass, block by block; the blocks sum to the price."""
        ...


class LatencySource(Protocol):
    """What prices architectures: on which device, how far to be trusted, and for which space."""

    @property
    def digest(self) -> str:
        """Digest of everything that prices depend on."""
        ...

    @property
    def scenario(self) -> Scenario:
        """Names of model, device, compute unit and runtime."""
        ...

    @property
    def distrust(self) -> str | None:
        """Why a search should not rely on it, and what to do about it, in one line; None where it can."""
        ...

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> Prices:
        """Prices of a space's architectures at its own latent size.

        Args:
            space: The space that is searched.
            context_tokens: Text tokens that cross-attentions read.

        Raises:
            ValueError: It is for another workload, or some block has no price; the message lists everything that is
                not covered. Nothing expensive has been done by then.
        """
        ...


class BlockPrices(Protocol):
    """What prices blocks alone."""

    @property
    def relative_error(self) -> float:
        """As in `Prices`."""
        ...

    @property
    def rest_ms(self) -> float:
        """What belongs to no block; every architecture costs it once."""
        ...

    def require(self, signatures: Iterable[BlockSignature], /) -> None:
        """Check that every signature has a price.

        Raises:
            ValueError: Some have none; the message lists all of them.
        """
        ...

    def milliseconds(self, signature: BlockSignature, /) -> float:
        """Milliseconds of one block."""
        ...

    def predict(self, sites: Iterable[Site], /) -> LatencyPrediction:
        """Latency of one forward pass of the architecture that consists of `sites`."""
        ...


def tied(prices: Prices, before: Architecture, /, *, first: Architecture, second: Architecture) -> bool:
    """Whether two edits of one architecture save the same time as far as their prices can tell.

    Savings a and b are tied when |a - b| is at most u (|a| + |b|), u being the prices' relative error: another
    measurement of the same device may rank them either way.

    Args:
        prices: Prices of all three.
        before: What was edited.
        first: After one edit.
        second: After another.
    """
    whole_ms = prices(before)
    saved, other = whole_ms - prices(first), whole_ms - prices(second)
    return abs(saved - other) <= prices.relative_error * (abs(saved) + abs(other))
