"""Validation: everything that can be said against a latency table, at once.

Problems make a table unusable or untrue; warnings say how far to trust it; information is neither. The rules of the
document are those of its reader; what only this module checks are the numbers against each other, against a model's
space, and against published ones.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from latency.documents.document import from_document
from latency.documents.sums import POSSIBLE_SUM, TRUSTED_SUM, cause_of, within
from latency.pricing.fit import check_coverage, check_workload
from latency.pricing.row import TableRow
from latency.pricing.scenario import LatencyTableError, Method
from latency.pricing.table import LatencyTable, MissingRowsError
from latency.trust.calibration import distrust
from latency.trust.published import POSSIBLE_FACTOR, compare
from latency.trust.speed import speed_of
from search_spaces import BlockKind, BlockSignature, UNetSpace
from search_spaces.files.strict_json import JsonError, parse_json

NOISE: Final = 0.9  # a deeper block may measure this much of a shallower one before it looks wrong


class Level(StrEnum):
    """How bad a finding is."""

    PROBLEM = "problem"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about a table.

    Attributes:
        level: How bad it is.
        about: "document", "rows", "sum", "speed", "coverage", "published" or "calibration".
        message: The sentence.
    """

    level: Level
    about: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """All that was found.

    Attributes:
        table: The table; None where the document is none.
        findings: Problems, then warnings, then information.
    """

    table: LatencyTable | None
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Whether there is no problem."""
        return all(finding.level is not Level.PROBLEM for finding in self.findings)


def validate(content: bytes, /, *, space: UNetSpace | None = None) -> Validation:
    """Check the content of a table's file.

    Args:
        content: The JSON document.
        space: A model's space that the table should cover; None = do not ask.
    """
    try:
        table = from_document(parse_json(content))
    except (JsonError, LatencyTableError) as error:
        lines = str(error).splitlines()
        return Validation(
            table=None,
            findings=tuple(Finding(level=Level.PROBLEM, about="document", message=line) for line in lines),
        )
    findings = [*_rows(table), *_sum(table), *_speed(table), *_published(table), *_calibration(table)]
    if space is not None:
        findings += _coverage(table, space)
    order = tuple(Level)
    return Validation(table=table, findings=tuple(sorted(findings, key=lambda finding: order.index(finding.level))))


def _rows(table: LatencyTable) -> Iterator[Finding]:
    sources = Counter(row.source for row in table.rows)
    for source in (Method.ESTIMATED, Method.MODELLED, Method.INTERPOLATED):
        if num := sources[source]:
            yield Finding(
                level=Level.WARNING, about="rows", message=f"{num} of {len(table.rows)} rows are {source}, not measured"
            )
    if num := sum(not row.has_spread for row in table.rows if row.source is not Method.INTERPOLATED):
        message = f"{num} rows have no spread (one sample, or p10 = p90): their uncertainty is unknown and counts as 0"
        yield Finding(level=Level.WARNING, about="rows", message=message)
    for index, row in enumerate(table.rows):
        if row.mean_ms < row.min_ms:
            message = f"rows[{index}] ({row.signature}): mean_ms {row.mean_ms} must not be below min_ms {row.min_ms}"
            yield Finding(level=Level.PROBLEM, about="rows", message=message)
    yield from _not_monotonic({row.signature: row for row in table.rows})


def _not_monotonic(rows: dict[BlockSignature, TableRow]) -> Iterator[Finding]:
    """Blocks that cost less than a part of themselves."""
    for signature, row in rows.items():
        parts: list[TableRow | None] = []
        if signature.kind is BlockKind.CROSS_ATTENTION and signature.layers > 1:
            parts.append(rows.get(replace(signature, layers=signature.layers - 1)))
        if signature.kind is BlockKind.RESNET:
            shortcut = replace(signature, kind=BlockKind.SHORTCUT, temb_channels=0, variant="")
            parts.append(rows.get(shortcut))
        for part in filter(None, parts):
            if row.median_ms < NOISE * part.median_ms:
                message = (
                    f"{signature} must cost more than {part.signature}, which is a part of it, but takes "
                    f"{row.median_ms:g} ms to its {part.median_ms:g} ms; look for swapped files"
                )
                yield Finding(level=Level.WARNING, about="rows", message=message)


def _sum(table: LatencyTable) -> Iterator[Finding]:
    if table.end_to_end is None or table.check is None:
        message = "the whole model was never measured: nothing shows that the blocks add up"
        yield Finding(level=Level.WARNING, about="sum", message=message)
        return
    ratio = table.check.sum_over_end_to_end
    if within(ratio, TRUSTED_SUM):
        level, verdict = Level.INFORMATION, ""
    elif within(ratio, POSSIBLE_SUM):
        level, verdict = Level.WARNING, f": {cause_of(ratio)}"
    else:
        level, verdict = Level.PROBLEM, "; probably a wrong unit or batch size"
    message = f"blocks sum to {ratio:.3f} of the end-to-end latency, and should to 0.90 .. 1.10{verdict}"
    yield Finding(level=level, about="sum", message=message)


def _speed(table: LatencyTable) -> Iterator[Finding]:
    if (speed := speed_of(table)) is not None:
        level, why = (Level.PROBLEM, f"; {speed.flaw}") if speed.flaw else (Level.INFORMATION, "")
        yield Finding(level=level, about="speed", message=f"{speed}{why}")


def _published(table: LatencyTable) -> Iterator[Finding]:
    if (comparison := compare(table)) is None:
        return
    base, factor = f"the base model takes {comparison.base_ms:.1f} ms", f"{comparison.factor:.2f} times"
    if not comparison.applies:
        message = f"{base}; no published number is for this device and workload, the nearest is {comparison.published}"
        yield Finding(level=Level.INFORMATION, about="published", message=message)
    elif comparison.possible:
        message = f"{base}, {factor} the published {comparison.published}"
        yield Finding(level=Level.INFORMATION, about="published", message=message)
    else:
        message = (
            f"{base} and must be within a factor of {POSSIBLE_FACTOR:g} of the published {comparison.published}, "
            f"but is {factor} that; probably a wrong unit or batch size"
        )
        yield Finding(level=Level.PROBLEM, about="published", message=message)


def _calibration(table: LatencyTable) -> Iterator[Finding]:
    if (why := distrust(table)) is not None:
        yield Finding(level=Level.WARNING, about="calibration", message=why)
    elif (check := table.check) is not None and check.subnetwork_mape is not None:
        rank = "" if check.kendall_tau is None else f", Kendall tau {check.kendall_tau:.2f}"
        message = (
            f"calibrated on {check.num_subnetworks} sub-networks: "
            f"predictions are off by {check.subnetwork_mape:.1%}{rank}"
        )
        yield Finding(level=Level.INFORMATION, about="calibration", message=message)


def _coverage(table: LatencyTable, space: UNetSpace) -> Iterator[Finding]:
    w = table.workload
    size = {"height": w.latent_height, "width": w.latent_width, "context_tokens": w.context_tokens}
    try:
        check_workload(table, space=space, **size)
        check_coverage(table, space=space, sizes=size)
    except MissingRowsError as error:
        for line in str(error).splitlines():
            yield Finding(level=Level.PROBLEM, about="coverage", message=line)
    except LatencyTableError as error:
        yield Finding(level=Level.PROBLEM, about="coverage", message=str(error))
    else:
        num = len(space.reachable_signatures(**size))
        message = (
            f"all {num} blocks that a search over the model with `max_copies_per_block` of {space.max_copies} can ask "
            "for have a row"
        )
        yield Finding(level=Level.INFORMATION, about="coverage", message=message)
    base: dict[BlockSignature, list[str]] = {}
    for site in space.sites(space.base, **size):
        base.setdefault(site.signature, []).append(site.name)
    for row in table.rows:
        expected = base.get(row.signature, [])
        if row.signature.kind is not BlockKind.REST and sorted(row.sites) != sorted(expected):
            message = f"{row.signature}: `sites` must be the model's {expected}, but got {list(row.sites)}"
            yield Finding(level=Level.PROBLEM, about="coverage", message=message)
