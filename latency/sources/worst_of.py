"""Several tables as one source: an architecture costs what it costs on the device where it saves least.

Devices differ in their milliseconds, so that each counts in the time of its own base model: the price of an
architecture is the largest of its shares, in milliseconds of the first table's base model. A target of 0.6 of that
means 0.6 or less on every device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from latency.documents.shipped import read_latency_table
from latency.pricing.source import Latency, Prices, Scenario
from latency.sources.kind import SourceContext, SourceKind
from latency.sources.table import TableSource
from latency.timing.estimator import Array
from search_spaces import Architecture, UNetSpace
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOfSettings:
    """Settings of several tables.

    Attributes:
        tables: Their files (JSON), or names of shipped ones; two or more.
    """

    tables: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.tables)) < max(2, len(self.tables)):
            raise UserError(f"`tables` must name two different tables or more, but got {list(self.tables)}")


class WorstOfPrices:
    """Milliseconds of the first device's base model, times the largest share that any device asks.

    Args:
        prices: Of the devices, the first one's first.
        base: The base model.
    """

    def __init__(self, prices: Sequence[Prices], /, *, base: Architecture) -> None:
        self._prices = tuple(prices)
        self._bases_ms = tuple(each(base) for each in prices)

    @property
    def relative_error(self) -> float:
        """The largest of the devices'."""
        return max(each.relative_error for each in self._prices)

    def __call__(self, architecture: Architecture, /) -> float:
        """Milliseconds of one forward pass."""
        return self._bases_ms[0] * max(self._shares(architecture))

    @property
    def parts(self) -> tuple[Callable[[Architecture], float], ...]:
        """What each device asks, in the same unit: the largest of them is the price, and each adds up over blocks."""
        pairs = zip(self._prices, self._bases_ms, strict=True)
        return tuple(partial(self._asked, prices, base_ms) for prices, base_ms in pairs)

    def _asked(self, prices: Prices, base_ms: float, architecture: Architecture) -> float:
        return self._bases_ms[0] * (prices(architecture) / base_ms)

    def latency(self, architecture: Architecture, /) -> Latency:
        """Milliseconds with the uncertainty of the device that decides."""
        shares = self._shares(architecture)
        worst = shares.index(max(shares))
        latency = self._prices[worst].latency(architecture)
        scale = self._bases_ms[0] / self._bases_ms[worst]
        return Latency(ms=self._bases_ms[0] * shares[worst], error_ms=latency.error_ms * scale)

    def milliseconds(self, architectures: Sequence[Architecture], /) -> Array:
        """Milliseconds of many, (n,)."""
        pairs = zip(self._prices, self._bases_ms, strict=True)
        shares = np.stack([each.milliseconds(architectures) / base_ms for each, base_ms in pairs])
        worst: Array = self._bases_ms[0] * shares.max(axis=0)
        return worst

    def _shares(self, architecture: Architecture) -> list[float]:
        return [each(architecture) / base_ms for each, base_ms in zip(self._prices, self._bases_ms, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstOfSource:
    """Several tables, asked by a search.

    Attributes:
        sources: One per device.
    """

    sources: tuple[TableSource, ...]

    @property
    def digest(self) -> str:
        """Of the tables, in order."""
        return digest_of({"source": "worst_of", "parts": [part.digest for part in self.sources]})

    @property
    def scenario(self) -> Scenario:
        """The model, on all devices."""
        scenarios = [each.scenario for each in self.sources]
        return Scenario(
            model=scenarios[0].model,
            device="the slowest of " + ", ".join(f"{each.device} ({each.runtime})" for each in scenarios),
            compute_unit="worst",
        )

    @property
    def distrust(self) -> str | None:
        """What speaks against any of the tables."""
        reasons = [reason for each in self.sources if (reason := each.distrust) is not None]
        return "; ".join(dict.fromkeys(reasons)) or None

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> WorstOfPrices:
        """Prices at the model's own latent size.

        Raises:
            WorkloadMismatchError: A table is for another workload.
            MissingRowsError: One does not price every block that the space can reach.
        """
        prices = [each.prices(space, context_tokens=context_tokens) for each in self.sources]
        return WorstOfPrices(prices, base=space.base)


def _make(settings: WorstOfSettings, context: SourceContext) -> WorstOfSource:
    tables = (read_latency_table(context.folder / Path(path)) for path in settings.tables)
    return WorstOfSource(sources=tuple(TableSource(table=table) for table in tables))


KIND = SourceKind(
    about="several tables: the largest share of its base model that any device asks",
    settings=WorstOfSettings,
    make=_make,
    paths=("tables",),
)
