"""Several tables as one source: the mean over devices, weighted by how many people hold each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, hypot, isfinite
from pathlib import Path

import numpy as np

from latency.documents.shipped import read_latency_table
from latency.pricing.prediction import BlockLatency, LatencyPrediction
from latency.pricing.pricer import Pricer
from latency.pricing.source import Latency, Scenario
from latency.sources.kind import SourceContext, SourceKind
from latency.sources.table import TableSource
from latency.timing.estimator import Array
from search_spaces import Architecture, UNetSpace
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSettings:
    """Settings of a weighted mean.

    Attributes:
        tables: Weight of each table, named by its file (JSON) or as a shipped one; they need not sum to 1.
    """

    tables: Mapping[str, float]

    def __post_init__(self) -> None:
        wrong = [
            f"`tables` must give {path} a weight above 0, but gives it {weight}; leave out what shall not count"
            for path, weight in self.tables.items()
            if not (isfinite(weight) and weight > 0)
        ]
        if not self.tables:
            wrong.append("`tables` must name at least one table with its weight, but names none")
        if wrong:
            raise UserError("; ".join(wrong))


class WeightedPrices:
    """Weighted means of prices of one space.

    Args:
        parts: Prices on each device.
        shares: Of each, summing to 1.
    """

    def __init__(self, parts: Sequence[Pricer], /, *, shares: Sequence[float]) -> None:
        self._parts, self._shares = tuple(parts), tuple(shares)

    @property
    def relative_error(self) -> float:
        """The largest of the parts': no mean of savings errs by more of itself."""
        return max(part.relative_error for part in self._parts)

    def __call__(self, architecture: Architecture, /) -> float:
        """Mean milliseconds of one forward pass."""
        return fsum(share * part(architecture) for share, part in zip(self._shares, self._parts, strict=True))

    def latency(self, architecture: Architecture, /) -> Latency:
        """Mean milliseconds with their uncertainty."""
        prediction = self.prediction(architecture)
        return Latency(ms=prediction.total_ms, error_ms=prediction.error_ms)

    def prediction(self, architecture: Architecture, /) -> LatencyPrediction:
        """One forward pass, block by block; the devices err independently of each other."""
        parts = [part.prediction(architecture) for part in self._parts]
        return LatencyPrediction(
            breakdown=tuple(self._mean(blocks) for blocks in zip(*(part.breakdown for part in parts), strict=True)),
            error_ms=hypot(*(share * part.error_ms for share, part in zip(self._shares, parts, strict=True))),
        )

    def _mean(self, blocks: Sequence[BlockLatency]) -> BlockLatency:
        """One block, as the devices see it."""
        ms = fsum(share * block.ms for share, block in zip(self._shares, blocks, strict=True))
        return replace(blocks[0], ms=ms, p10_ms=None, p90_ms=None)

    def milliseconds(self, architectures: Sequence[Architecture], /) -> Array:
        """Mean milliseconds of many, (n,)."""
        means: Array = np.array(self._shares) @ np.array([part.milliseconds(architectures) for part in self._parts])
        return means


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSource:
    """A weighted mean of tables, asked by a search.

    Attributes:
        parts: Sources of the tables, with the share of each; shares sum to 1.
    """

    parts: tuple[tuple[TableSource, float], ...]

    @property
    def digest(self) -> str:
        """Of the tables and their shares, whatever their order."""
        return digest_of({"source": "weighted", "parts": sorted([part.digest, share] for part, share in self.parts)})

    @property
    def scenario(self) -> Scenario:
        """The model, and every device with its share."""
        devices = " + ".join(f"{share:.0%} {part.scenario.device}" for part, share in self.parts)
        units, runtimes = (
            "/".join(dict.fromkeys(getattr(part.scenario, name) for part, _ in self.parts))
            for name in ("compute_unit", "runtime")
        )
        return Scenario(
            model=self.parts[0][0].scenario.model,
            device=devices,
            compute_unit=units.replace("/", "_"),
            runtime=runtimes,
        )

    @property
    def distrust(self) -> str | None:
        """What calibration says against any of them."""
        said = [f"{part.scenario.device}: {part.distrust}" for part, _ in self.parts if part.distrust is not None]
        return "; ".join(said) or None

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> WeightedPrices:
        """Prices at the model's own latent size.

        Raises:
            ValueError: Tables that do not cover the space; the message says what each of them lacks.
        """
        made, wrong = [], []
        for part, _ in self.parts:
            try:
                made.append(part.prices(space, context_tokens=context_tokens))
            except ValueError as error:
                wrong.append(f"the table of {part.scenario.device} ({part.scenario.runtime}): {error}")
        if wrong:
            raise UserError("; ".join(wrong))
        return WeightedPrices(made, shares=[share for _, share in self.parts])


def _make(settings: WeightedSettings, context: SourceContext) -> WeightedSource:
    whole = fsum(settings.tables.values())
    tables = {path: read_latency_table(context.folder / Path(path)) for path in settings.tables}
    models = {table.workload.base_model for table in tables.values()}
    if len(models) > 1:
        raise UserError(f"`tables` must be of one model, but are of {', '.join(sorted(models))}")
    return WeightedSource(
        parts=tuple((TableSource(table=table), settings.tables[path] / whole) for path, table in tables.items())
    )


KIND = SourceKind(
    about="the weighted mean of several tables: one search for many devices", settings=WeightedSettings, make=_make,
    paths=("tables",),
)  # fmt: skip
