"""LatencyTable: milliseconds by block signature, and what any architecture made of these blocks will take.

A forward pass costs the sum of its blocks plus a rest (SnapFusion, section 3.2): blocks of one signature cost the
same wherever they stand. Pure: no torch, disk or clock; `latency.documents.store` reads and writes tables,
`latency.measuring.measure` makes them.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from statistics import median
from typing import Final

from latency.pricing.prediction import BlockLatency, LatencyPrediction
from latency.pricing.row import TableRow
from latency.pricing.scenario import Check, Device, EndToEnd, LatencyTableError, Protocol, Runtime, Workload
from search_spaces import BlockKind, BlockSignature, Site

SCHEMA_VERSION: Final = 1
REST: Final = BlockSignature(kind=BlockKind.REST)
REMEDY: Final = (
    "have them measured: on this machine by `nas latency measure MODEL`, on a device elsewhere by the files of `nas "
    "latency init MODEL` and `nas latency import`; `--height`, `--width` and `--context-tokens` as in the search, "
    "`--max-copies` as its `max_copies_per_block`"
)
SUM_TOLERANCE: Final = 0.01  # a stored sum / end-to-end may differ from the rows' by rounding, not by more


class MissingRowsError(LatencyTableError):
    """A table that lacks rows which were asked for; `missing` holds their signatures."""

    def __init__(self, message: str, /, *, missing: tuple[BlockSignature, ...]) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, kw_only=True)  # without slots: what follows from the rows is worked out once
class LatencyTable:
    """All rows of one scenario."""

    device: Device
    runtime: Runtime
    workload: Workload
    protocol: Protocol
    end_to_end: EndToEnd | None
    check: Check | None
    rows: tuple[TableRow, ...]

    def __post_init__(self) -> None:
        wrong = duplicates(tuple(enumerate(self.rows)))
        if not self.rows:
            wrong.append("`rows` must hold at least one row, but it is empty")
        if self.end_to_end is not None and self.check is not None and self.base_ms > 0:
            ratio, stored = self.base_ms / self.end_to_end.median_ms, self.check.sum_over_end_to_end
            if abs(stored - ratio) > SUM_TOLERANCE * ratio:
                wrong.append(
                    f"`check.sum_over_end_to_end` must be what rows, sites and end_to_end give, {ratio:.3f}, "
                    f"but got {stored:.3f}; a row or the end-to-end latency was changed"
                )
        if wrong:
            raise LatencyTableError("; ".join(wrong))

    @property
    def base_ms(self) -> float:
        """Sum of the base model's blocks, each row as often as it has sites; without the rest."""
        return math.fsum(r.median_ms * len(r.sites) for r in self.rows if r.signature.kind is not BlockKind.REST)

    @cached_property
    def digest(self) -> str:
        """Digest of all but `check`: calibrating a table changes no prediction and no search that uses it."""
        parts = {name: part for name, part in asdict(self).items() if name != "check"}
        content = json.dumps({"schema_version": SCHEMA_VERSION, **parts}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def relative_error(self) -> float:
        """Standard error of a row's median relative to it, of the median block; 0 without repeated samples."""
        blocks = [row for row in self.rows if row.signature.kind is not BlockKind.REST]
        return median(row.median_error_ms / row.median_ms for row in blocks) if blocks else 0.0

    @property
    def rest_ms(self) -> float:
        """What the blocks leave of the whole; 0 without such a row."""
        return math.fsum(row.median_ms for row in self.rows if row.signature == REST)

    def milliseconds(self, signature: BlockSignature, /) -> float:
        """Median latency of one block.

        Raises:
            MissingRowsError: The table has no such row.
        """
        self.require((signature,))
        return self._by_signature[signature].median_ms

    def missing(self, signatures: Iterable[BlockSignature], /) -> tuple[BlockSignature, ...]:
        """Signatures that the table does not price, sorted, each once."""
        return tuple(sorted(set(signatures) - self._by_signature.keys()))

    def require(self, signatures: Iterable[BlockSignature], /) -> None:
        """Check that the table prices every signature.

        Raises:
            MissingRowsError: It does not; the message lists every missing one with the nearest that is there.
        """
        if missing := self.missing(signatures):
            lines = [f"  {described_missing(key, self._by_signature)}" for key in missing]
            raise MissingRowsError(
                f"the latency table of {self.device.name} ({self.runtime.name}) must price every block asked for, "
                f"but {len(missing)} have no row:\n" + "\n".join(lines) + f"\n{REMEDY}",
                missing=missing,
            )

    def predict(self, sites: Iterable[Site], /) -> LatencyPrediction:
        """Predicted latency of an architecture, from `UNetSpace.sites`.

        The standard error of the total is the root of the sum over rows of (times used x `median_error_ms`)^2: rows
        err independently, but every use of a row errs the same way. It says how precise the rows are, not whether
        blocks add up; `check` says that.

        Raises:
            MissingRowsError: The table does not price every site.
        """
        blocks = list(sites)
        rows = self._by_signature
        if REST in rows:
            blocks.append(Site(name=str(BlockKind.REST), signature=REST))
        self.require(site.signature for site in blocks)
        uses = Counter(site.signature for site in blocks)
        return LatencyPrediction(
            breakdown=tuple(
                BlockLatency(
                    name=site.name,
                    stage=site.stage,
                    position=site.position,
                    kind=site.signature.kind,
                    ms=rows[site.signature].median_ms,
                    p10_ms=rows[site.signature].p10_ms,
                    p90_ms=rows[site.signature].p90_ms,
                )
                for site in blocks
            ),
            error_ms=math.hypot(*(num * rows[key].median_error_ms for key, num in uses.items())),
        )

    @cached_property
    def _by_signature(self) -> dict[BlockSignature, TableRow]:
        return {row.signature: row for row in self.rows}


def duplicates(rows: Sequence[tuple[int, TableRow]], /) -> list[str]:
    """A sentence for every row, given with its number, whose signature an earlier one has."""
    first: dict[BlockSignature, int] = {}
    return [
        f"rows[{index}]: a key stands once in a table, but {row.signature} stands in rows[{first[row.signature]}] too"
        for index, row in rows
        if first.setdefault(row.signature, index) != index
    ]


def _nearest(key: BlockSignature, present: Iterable[BlockSignature]) -> BlockSignature | None:
    """The present signature of the same kind that differs in the fewest fields; of these, that of the nearest MACs."""

    def distance(other: BlockSignature) -> tuple[int, float]:
        return len(_differing(key, other)), abs(math.log(max(1, other.num_macs)) - math.log(max(1, key.num_macs)))

    return min((other for other in sorted(present) if other.kind is key.kind), key=distance, default=None)


def _differing(key: BlockSignature, other: BlockSignature) -> list[str]:
    return [f.name for f in fields(key) if getattr(key, f.name) != getattr(other, f.name)]


def described_missing(key: BlockSignature, present: Iterable[BlockSignature], /) -> str:
    """A missing key with the nearest of the same kind that is present, and how they differ."""
    nearest = _nearest(key, present)
    if nearest is None:
        return f"{key} (the table has no {key.kind} at all)"
    what = ", ".join(
        f"{name} {getattr(key, name)!r} instead of {getattr(nearest, name)!r}" for name in _differing(key, nearest)
    )
    return f"{key} (nearest: {nearest}; {what})"
