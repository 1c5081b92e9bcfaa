"""Matching: which reading is of which file of a manifest, with every mismatch named at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from latency.importers import Importer, Reading, Report, ReportError, read_report
from latency.importers.fields import csv_lines, file_name
from latency.kits.manifest import BlockFile, EmptyFile, Manifest, WholeModelFile

Entry: TypeAlias = BlockFile | WholeModelFile | EmptyFile
# ONNX Runtime appends it to the prefix that its user chose.
TIMESTAMP: Final = re.compile(r"_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(\.\d+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A reading and the file that it is of."""

    entry: Entry
    report: Report
    reading: Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """What became of a set of reports.

    Attributes:
        importer: Format of all of them; None = no report could be read.
        matches: One per file of the manifest at most, in its order.
        missing: Files that no report is about.
        wrong: A sentence for everything that must be put right.
    """

    importer: Importer | None
    matches: tuple[Match, ...]
    missing: tuple[Entry, ...]
    wrong: tuple[str, ...]


def match(
    manifest: Manifest,
    reports: Sequence[Report],
    /,
    *,
    importer: Importer | None = None,
    names: Mapping[str, str] | None = None,
    allow_estimated: bool = False,
) -> Matches:
    """Read reports and find the file that each reading is of.

    A reading is of the file that `names` gives; else of its own key; else of the file that the report is called after
    or says it ran. Where these two differ, that is an error.

    Args:
        manifest: What may be named.
        reports: Profilers' files.
        importer: Their format; None = from their content.
        names: File by report name, or by "report#key" for one reading of several.
        allow_estimated: Take numbers that a tool made up from others.
    """
    names = names or {}
    wrong: list[str] = []
    found: dict[str, Match] = {}
    importers: dict[str, Importer] = {}
    entries = {entry.file: entry for entry in manifest.entries}
    for report in reports:
        try:
            own, readings = read_report(report, importer=importer)
        except ReportError as error:
            wrong.append(str(error))
            continue
        importers.setdefault(own.name, own)
        for reading in readings:
            where = f"{report.name}#{reading.key}" if reading.key else report.name
            try:
                file = _file_of(reading, report, entries, names=names)
                _check(reading, manifest, allow_estimated=allow_estimated)
                if (other := found.get(file)) is not None:
                    raise ReportError(f"{file}: must have one report, but {other.report.name} is about it too")
            except ReportError as error:
                wrong += [f"{where}: {line}" for line in str(error).splitlines()]
                continue
            found[file] = Match(entry=entries[file], report=report, reading=reading)
    given = {report.name for report in reports}
    wrong += [
        f"the map: {name} must be one of the reports, but is not"
        for name in names
        if name.partition("#")[0] not in given
    ]
    if len(importers) > 1:
        wrong.append(f"all reports of a table must come from one tool, but got {', '.join(importers)}")
    return Matches(
        importer=next(iter(importers.values()), None),
        matches=tuple(found[file] for file in entries if file in found),
        missing=tuple(entry for file, entry in entries.items() if file not in found),
        wrong=tuple(wrong),
    )


def read_map(report: Report, /) -> dict[str, str]:
    """Names for `match` from a CSV with the columns `report` (or `report#key`) and `file`.

    Raises:
        ReportError: It has other columns, or a report twice.
    """
    try:
        head, *lines = csv_lines(report.text, delimiter=",") or [[]]
        if head != ["report", "file"] or not all(len(line) == 2 for line in lines):
            raise ReportError(f"must have the columns report,file, but got {','.join(head)}")
        names = {line[0].strip(): line[1].strip() for line in lines}
        if len(names) < len(lines):
            raise ReportError("a report must stand once in the map")
    except ReportError as error:
        raise ReportError(f"{report.name}: {error}") from error
    return names


def _file_of(reading: Reading, report: Report, entries: Mapping[str, Entry], *, names: Mapping[str, str]) -> str:
    """The file of the manifest that a reading is of."""
    label = f"{report.name}#{reading.key}" if reading.key else report.name
    if (chosen := names.get(label)) is not None:
        if (file := _resolved(chosen, entries)) is None:
            raise ReportError(f"the map gives {chosen!r}, which is no file of the manifest")
        return file
    if reading.key:
        candidates = [_resolved(reading.key, entries)]
    else:
        candidates = [_resolved(report.name, entries), _resolved(reading.model, entries)]
    found = [file for file in candidates if file is not None]
    if not found:
        what = repr(reading.key) if reading.key else f"{report.name} or {reading.model!r} in it"
        raise ReportError(
            f"must be named after a file of the manifest, but there is none for {what}; "
            "rename it or give a map (`--map`)"
        )
    if len(set(found)) > 1:
        raise ReportError(f"must be about {found[0]}, as its name says, but it says that it ran {reading.model}")
    return found[0]


def _resolved(name: str, entries: Mapping[str, Entry]) -> str | None:
    """The manifest's file that a name means: its path, or its stem with up to two endings (`x`, `x.onnx.json`)."""
    if name in entries:
        return name
    stems = {PurePosixPath(file).stem.lower(): file for file in entries}
    last = file_name(name).lower()
    for _ in range(3):
        for stem in (last, TIMESTAMP.sub("", last)):
            if stem in stems:
                return stems[stem]
        last = PurePosixPath(last).stem
    return None


def _check(reading: Reading, manifest: Manifest, *, allow_estimated: bool) -> None:
    """What a report says about itself must fit the manifest."""
    workload, wrong = manifest.workload, []
    if reading.estimated and not allow_estimated:
        wrong.append(f"must be measured, but it is estimated ({reading.note}); allow it with `--allow-estimated`")
    if reading.batch is not None and reading.batch != workload.batch:
        wrong.append(f"batch must be {workload.batch}, but the report says {reading.batch}; it is never rescaled")
    if reading.dtype and reading.dtype != workload.dtype:
        wrong.append(f"dtype must be {workload.dtype}, but the report says {reading.dtype}")
    if wrong:
        raise ReportError("\n".join(wrong))
