"""LatencyTable: milliseconds by block signature, and what any architecture made of these blocks will take.

A forward pass costs the sum of its blocks plus a rest (SnapFusion, section 3.2): blocks of one signature cost the
same wherever they stand. Pure: no torch, disk or clock; `latency.documents.store` reads and writes tables,
`latency.measuring.measure` makes them.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from statistics import median
from typing import Final

from latency.pricing.prediction import BlockLatency, LatencyPrediction
from latency.pricing.scenario import Check, Device, EndToEnd, LatencyTableError, Method, Protocol, Runtime, Workload
from search_spaces import BlockKind, BlockSignature, Site, UNetSpace

SCHEMA_VERSION: Final = 1
REST: Final = BlockSignature(kind=BlockKind.REST)
# Standard error of a median over (p90 - p10) / sqrt(n), for normal samples: sqrt(pi / 2) / (2 * 1.2816).
MEDIAN_ERROR: Final = math.sqrt(math.pi / 2) / (2 * 1.2816)
MAX_MS: Final = 1e9  # eleven days: no forward pass, but a count of nanoseconds taken for milliseconds
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


class WorkloadMismatchError(LatencyTableError):
    """A table that was measured for another workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """The latency of one signature, for the workload's whole batch.

    A row of kind `rest` is what the blocks leave of the end-to-end latency (concatenations, glue, Python between
    blocks); where blocks alone sum to more than the whole it is 0, the only row that may be.

    Attributes:
        signature: The key.
        median_ms: The value that predictions use.
        p10_ms: 10th percentile of the samples.
        p90_ms: 90th percentile of the samples.
        min_ms: Smallest sample.
        mean_ms: Mean of the samples.
        std_ms: Standard deviation of the samples.
        num_samples: How many samples.
        source: How this row's number came to be.
        sites: diffusers' module names of the base model's blocks that have this signature.
        file: File that the number was imported from.
        note: Anything else worth knowing, such as calls per sample.
    """

    signature: BlockSignature
    median_ms: float
    p10_ms: float
    p90_ms: float
    min_ms: float
    mean_ms: float
    std_ms: float
    num_samples: int
    source: Method
    sites: tuple[str, ...] = ()
    file: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        wrong = []
        times = {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_ms")}
        may_be_zero = self.signature.kind is BlockKind.REST
        for name, value in times.items():
            least_is_fine = value >= 0 if may_be_zero or name == "std_ms" else value > 0
            if not (math.isfinite(value) and least_is_fine):
                wrong.append(f"`{name}` must be positive and finite, but got {value}")
            elif value > MAX_MS:
                wrong.append(f"`{name}` must be at most {MAX_MS:g} ms, but got {value}; look for a wrong unit")
        if not self.min_ms <= self.p10_ms <= self.median_ms <= self.p90_ms:
            order = ", ".join(str(times[name]) for name in ("min_ms", "p10_ms", "median_ms", "p90_ms"))
            wrong.append(f"min_ms <= p10_ms <= median_ms <= p90_ms must hold, but got {order}")
        if not 1 <= self.num_samples <= MAX_MS:
            wrong.append(f"`num_samples` must be at least 1 and possible, but got {self.num_samples}")
        if wrong:
            raise LatencyTableError(f"{self.signature}: " + "; ".join(wrong))

    @property
    def has_spread(self) -> bool:
        """Whether samples tell how uncertain the median is; where they do not, `median_error_ms` is 0 all the same."""
        return self.num_samples > 1 and self.p90_ms > self.p10_ms

    @property
    def median_error_ms(self) -> float:
        """Standard error of the median, from the spread: 0.489 (p90 - p10) / sqrt(n)."""
        return MEDIAN_ERROR * (self.p90_ms - self.p10_ms) / math.sqrt(self.num_samples)


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


def check_workload(
    table: LatencyTable,
    /,
    *,
    space: UNetSpace,
    height: int | None = None,
    width: int | None = None,
    context_tokens: int,
) -> None:
    """Check that a table was measured for what a search is going to run.

    Args:
        table: The table.
        space: The space that is searched.
        height: Latent height; None = the model's own.
        width: Latent width; None = the model's own.
        context_tokens: Text tokens that cross-attentions read.

    Raises:
        WorkloadMismatchError: It was not; the message lists every difference.
    """
    workload = table.workload
    wanted = {
        "latent_height": height or space.sample_size[0],
        "latent_width": width or space.sample_size[1],
        "context_tokens": context_tokens,
        "cross_attention_dim": cross_attention_dim(space),
        "temb_channels": space.temb_channels,
    }
    wrong = [
        f"`{name}` must be {value}, but the table has {getattr(workload, name)}"
        for name, value in wanted.items()
        if getattr(workload, name) != value
    ]
    if wrong:
        raise WorkloadMismatchError(
            f"the latency table of {workload.base_model} on {table.device.name} is for another workload: "
            + "; ".join(wrong)
            + "; latencies are never rescaled: measure this workload with `nas latency measure MODEL --out FILE.json`"
        )


def check_coverage(table: LatencyTable, /, *, space: UNetSpace, sizes: Mapping[str, int]) -> None:
    """Check that a table prices every block that a search over a space can ask for.

    Args:
        table: The table.
        space: The space, with the copies that the search may make.
        sizes: Latent size and text tokens, as `UNetSpace.reachable_signatures` takes them.

    Raises:
        MissingRowsError: It does not; the message lists what is missing, and says how many copies it does cover.
    """
    try:
        table.require(space.reachable_signatures(**sizes))
    except MissingRowsError as error:
        for num in range(space.max_copies - 1, -1, -1):
            if not table.missing(replace(space, max_copies=num).reachable_signatures(**sizes)):
                raise MissingRowsError(
                    f"{error}\nor search with `max_copies_per_block` of at most {num} instead of {space.max_copies}, "
                    "which this table covers",
                    missing=error.missing,
                ) from error
        raise


def cross_attention_dim(space: UNetSpace, /) -> int:
    """Width of a text token, the widest where stages differ; 0 without cross-attentions."""
    return max((stage.cross_attention_dim for stage in space.stages if any(stage.depths)), default=0)


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
