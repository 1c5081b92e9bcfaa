"""Importing: a manifest and profilers' reports become a latency table, or a list of all that is wrong.

Nothing here touches a disk; `latency.documents.store.write_table` writes what comes out, as a whole or not at all.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from latency.importers import Importer, Reading, Report
from latency.kits.manifest import BlockFile, EmptyFile, Manifest, WholeModelFile
from latency.kits.matching import Match, Matches, match
from latency.pricing.row import TableRow
from latency.pricing.scenario import (
    Device,
    EndToEnd,
    LatencyTableError,
    Method,
    Protocol,
    Runtime,
    SourceFile,
    Workload,
)
from latency.pricing.table import REST, LatencyTable, described_missing
from latency.timing.estimator import DIGITS
from latency.trust.calibration import calibration_of, check_of
from latency.trust.interpolation import Fill, Filled, InterpolationError, filled
from search_spaces import Architecture, BlockSignature

LEAST_MS: Final = 10.0**-DIGITS  # a row is positive, whatever was subtracted from it


class ImportingError(LatencyTableError):
    """Reports that do not make a table; the message holds all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A table, and how its gaps were filled."""

    table: LatencyTable
    filled: Filled


def import_table(
    manifest: Manifest,
    reports: Sequence[Report],
    /,
    *,
    device: Device,
    runtime_version: str,
    runtime_name: str = "",
    runtime_options: tuple[tuple[str, str], ...] = (),
    importer: Importer | None = None,
    names: Mapping[str, str] | None = None,
    allow_estimated: bool = False,
    allow_unchecked: bool = False,
    fill: Fill = Fill.NOTHING,
) -> Imported:
    """Make a table.

    Args:
        manifest: What the model files are.
        reports: What profilers said about them.
        device: The machine; its `compute_unit` is taken from the reports where it is empty.
        runtime_version: Version of the runtime, which no report states.
        runtime_name: Its name; "" = as the format says.
        runtime_options: Settings that change speed.
        importer: Format of the reports; None = from their content.
        names: As in `latency.kits.matching.match`.
        allow_estimated: Take numbers that a tool made up from others.
        allow_unchecked: Do without the whole models that have no report.
        fill: What to do about blocks without a report.

    Raises:
        ImportingError: Reports that cannot be read or matched, or that are missing; the message lists all of it.
    """
    matches = match(manifest, reports, importer=importer, names=names, allow_estimated=allow_estimated)
    wrong = list(matches.wrong)
    if matches.importer is None:  # what is missing follows from it, file by file
        raise ImportingError("\n".join(wrong) or "reports must be given, but there are none")
    if not matches.matches and not wrong:
        raise ImportingError(
            f"{', '.join(report.name for report in reports)}: must hold the times of the manifest's "
            f"{len(manifest.entries)} files, but holds none; fill it in, or let the kit's script do it"
        )
    runtime_name = runtime_name or matches.importer.runtime
    if not runtime_name:
        wrong.append(f"`runtime_name` must be given: reports of format {matches.importer.name} do not say it")
    units = sorted({m.reading.compute_unit for m in matches.matches} - {""})
    if len(units) > 1 and not device.compute_unit:
        wrong.append(f"all reports must be of one compute unit, but got {', '.join(units)}; name it to allow this")
    if not allow_unchecked:
        wrong += [
            f"{entry.file}: a whole model must have a report to check the table with, but it has none; "
            "measure it, or do without the check (`--allow-unchecked`)"
            for entry in matches.missing
            if isinstance(entry, WholeModelFile)
        ]
    empty_ms = _empty_ms(matches)
    rows = [_row(m, empty_ms=empty_ms) for m in matches.matches if isinstance(m.entry, BlockFile)]
    gaps = Filled(rows=(), fits=())
    try:
        gaps = _filled(manifest, rows, matches, fill=fill)
    except LatencyTableError as error:
        wrong.append(str(error))
    if wrong:
        raise ImportingError("\n".join(wrong))
    rows += [replace(row, sites=_sites(manifest, row.signature)) for row in gaps.rows]
    runtime = Runtime(
        name=runtime_name,
        version=runtime_version,
        converter=f"{manifest.converter.name} {manifest.converter.version}",
        torch=manifest.converter.torch,
        diffusers=manifest.converter.diffusers,
        options=tuple(
            sorted((*runtime_options, *((f"converter.{name}", value) for name, value in manifest.converter.options)))
        ),
    )
    table = LatencyTable(
        device=device if device.compute_unit else replace(device, compute_unit="".join(units)),
        runtime=runtime,
        workload=manifest.workload,
        protocol=_protocol(matches, importer=matches.importer),
        end_to_end=None,
        check=None,
        rows=tuple(rows),
    )
    return Imported(table=_checked(table, manifest, matches), filled=gaps)


def _empty_ms(matches: Matches) -> float:
    """What entering the runtime takes: a block alone pays it at every call, a whole model once. 0 if unmeasured."""
    return sum(m.reading.median_ms for m in matches.matches if isinstance(m.entry, EmptyFile))


def _row(found: Match, *, empty_ms: float) -> TableRow:
    """The row of a block, less what entering the runtime takes."""
    assert isinstance(found.entry, BlockFile)
    r = found.reading

    def less(ms: float) -> float:
        return max(round(ms - empty_ms, DIGITS), LEAST_MS) if empty_ms else ms

    notes = (r.note, f"less {empty_ms:.4f} ms of an empty call" if empty_ms else "")
    return TableRow(
        signature=found.entry.signature,
        median_ms=less(r.median_ms),
        p10_ms=less(r.p10_ms),
        p90_ms=less(r.p90_ms),
        min_ms=less(r.min_ms),
        mean_ms=less(r.mean_ms),
        std_ms=r.std_ms,
        num_samples=r.num_samples,
        source=Method.ESTIMATED if r.estimated else Method.ISOLATED,
        sites=found.entry.sites,
        file=found.report.name,
        note="; ".join(filter(None, notes)),
    )


def _filled(manifest: Manifest, rows: Sequence[TableRow], matches: Matches, *, fill: Fill) -> Filled:
    """Rows for what a search over the space can ask for and nobody measured."""
    present = {row.signature for row in rows}
    wanted = {*manifest.reachable_signatures(), *(block.signature for block in manifest.blocks)}
    missing = sorted(wanted - present)
    if not missing:
        return Filled(rows=(), fits=())
    if fill is Fill.INTERPOLATE:
        return filled(missing, rows=rows)
    files = {block.signature: block.file for block in manifest.blocks}
    lines = [f"{files.get(key, 'no file in the manifest')}: {described_missing(key, present)}" for key in missing]
    raise InterpolationError(
        f"every block must have a report, but {len(missing)} have none:\n"
        + "\n".join(f"  {line}" for line in lines)
        + "\nmeasure them, or have them fitted to the others with `--fill interpolate`"
    )


def _sites(manifest: Manifest, signature: BlockSignature) -> tuple[str, ...]:
    base = manifest.sites(manifest.space.base)
    return tuple(site.name for site in base if site.signature == signature)


def _protocol(matches: Matches, *, importer: Importer) -> Protocol:
    readings = [m.reading for m in matches.matches]
    reports = {m.report.name: m.report for m in matches.matches}
    return Protocol(
        method=Method.ESTIMATED if any(reading.estimated for reading in readings) else Method.ISOLATED,
        clock="; ".join(sorted({reading.clock for reading in readings})),
        order="one file after the other, as whoever ran them chose",
        rounds=min(reading.num_samples for reading in readings),
        estimator="median of the runs in each report"
        + (f", less {empty_ms:.4f} ms of an empty call" if (empty_ms := _empty_ms(matches)) else ""),
        importer=importer.name,
        sources=tuple(SourceFile(name=name, sha256=report.sha256) for name, report in sorted(reports.items())),
    )


def whole_model_times(matches: Matches, /) -> dict[Architecture, float]:
    """Median milliseconds of every whole model that has a report."""
    return {m.entry.architecture: m.reading.median_ms for m in matches.matches if isinstance(m.entry, WholeModelFile)}


def measured_elsewhere(
    manifest: Manifest,
    reports: Sequence[Report],
    /,
    *,
    table: LatencyTable,
    importer: Importer | None = None,
    allow_estimated: bool = False,
) -> dict[Architecture, float]:
    """Milliseconds of the whole models of a manifest, to calibrate a table with.

    Args:
        manifest: What the model files are; of the table's workload.
        reports: What profilers said about them; blocks may be among them.
        table: The table.
        importer: Format of the reports; None = from their content.
        allow_estimated: Take numbers that a tool made up from others.

    Raises:
        ImportingError: A manifest of another workload, or reports that cannot be read or matched: all of it.
    """
    wrong = [
        f"`workload.{f.name}` of the manifest must be the table's {mine!r}, but got {theirs!r}"
        for f in fields(Workload)
        if (theirs := getattr(manifest.workload, f.name)) != (mine := getattr(table.workload, f.name))
    ]
    matches = match(manifest, reports, importer=importer, allow_estimated=allow_estimated)
    times = whole_model_times(matches)
    if len(times) < 2 or manifest.space.base not in times:
        wrong.append(
            f"the reports must hold the base model and another whole model, but they hold {len(times)} of the "
            f"manifest's {len(manifest.whole_models)}; `nas latency init --subnetworks` writes them"
        )
    if wrong := [*wrong, *matches.wrong]:
        raise ImportingError("\n".join(wrong))
    return times


def _checked(table: LatencyTable, manifest: Manifest, matches: Matches) -> LatencyTable:
    """The table with its rest, end-to-end latency and check, as far as whole models were measured."""
    whole = {m.entry.architecture: m.reading for m in matches.matches if isinstance(m.entry, WholeModelFile)}
    if (base := whole.get(manifest.space.base)) is None:
        return table
    end_to_end = EndToEnd(
        median_ms=base.median_ms, p10_ms=base.p10_ms, p90_ms=base.p90_ms, num_samples=base.num_samples
    )
    table = replace(table, rows=(*table.rows, _rest(base, blocks_ms=table.base_ms)), end_to_end=end_to_end)
    calibration = None
    if len(whole) > 1:
        calibration = calibration_of(table, whole_model_times(matches), space=manifest.space)
    return replace(table, check=check_of(table, end_to_end, calibration))


def _rest(base: Reading, *, blocks_ms: float) -> TableRow:
    """What the blocks leave of the whole; as uncertain as the whole."""
    left_ms = base.median_ms - blocks_ms
    rest_ms = max(0.0, left_ms)
    low, high = max(0.0, rest_ms - (base.median_ms - base.p10_ms)), rest_ms + (base.p90_ms - base.median_ms)
    note = "end to end minus the blocks" + ("" if left_ms >= 0 else f", {left_ms:.3f} ms: clamped to 0")
    assert math.isfinite(rest_ms), "readings are bounded"
    return TableRow(
        signature=REST,
        median_ms=rest_ms,
        p10_ms=low,
        p90_ms=high,
        min_ms=low,
        mean_ms=rest_ms,
        std_ms=base.std_ms,
        num_samples=base.num_samples,
        source=Method.DIFFERENCE,
        sites=("rest",),
        note=note,
    )
