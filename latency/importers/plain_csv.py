"""Plain CSV, a line per model file: what `nas latency init` leaves to be filled in, and near relatives.

Columns `file` and a median are needed; p10, p90, min, mean (or avg), std and num_samples are welcome. Every column of
times names its unit (`median_ms`, `median (us)`, `p50_ns`), and all name the same. A line without a median is a file
that nobody has measured yet. Percentiles that are missing are the median, as the note says.
"""

import re
from typing import Final

from latency.importers.fields import PER_MS, count, csv_lines, milliseconds
from latency.importers.reading import Reading, ReportError
from latency.importers.report import Report

COLUMN: Final = re.compile(r"(median|p50|p10|p90|min|mean|avg|std)(?:_| ?\()(ns|us|µs|μs|ms|s)\)?")
SYNONYMS: Final = {"p50": "median", "avg": "mean"}
COUNTS: Final = ("num_samples", "n")
WANTED: Final = "`file` and a median with its unit, such as `median_ms` or `median (us)`"


def recognises(report: Report, /) -> bool:
    """Whether its first line has a column `file`."""
    return report.document is None and "file" in columns_of(report)


def columns_of(report: Report, /) -> list[str]:
    """The cells of a text's first line, in lower case."""
    return [name.strip().strip('"').lower() for name in re.split("[,;\t]", report.text.partition("\n")[0].rstrip("\r"))]


def read(report: Report, /) -> tuple[Reading, ...]:
    """A reading per line with a median.

    Raises:
        ReportError: Columns without a unit or with several, columns that nobody knows, or bad lines: all of them.
    """
    head_line = report.text.partition("\n")[0]
    delimiter = next((each for each in ";\t" if each in head_line), ",")
    head, *lines = csv_lines(report.text, delimiter=delimiter)
    columns, unit = _columns([name.strip().lower() for name in head])
    readings, wrong = [], []
    for index, line in enumerate(lines, start=2):
        if len(line) > len(head):
            wrong.append(f"line {index}: must have {len(head)} cells, but has {len(line)}")
            continue
        cells = {columns[place]: cell.strip() for place, cell in enumerate(line) if cell.strip()}
        if "median" not in cells:
            continue
        try:
            readings.append(_reading(cells, unit))
        except ReportError as error:
            wrong.append(f"line {index}: {error}")
    if wrong:
        raise ReportError("\n".join(wrong))
    return tuple(readings)


def _columns(head: list[str]) -> tuple[list[str], str]:
    """What every column holds, and the unit of all times."""
    wrong, columns, units = [], [], set[str]()
    for name in head:
        if name == "file" or name in COUNTS:
            columns.append("file" if name == "file" else "num_samples")
        elif match := COLUMN.fullmatch(name):
            columns.append(SYNONYMS.get(match[1], match[1]))
            units.add(match[2])
        else:
            wrong.append(f"column {name!r}: must be `file`, `num_samples` or a statistic with its unit: `median_ms`")
    wrong += [f"column of {name}: must stand once" for name in sorted(set(columns)) if columns.count(name) > 1]
    wrong += [f"column of {name}: must be there: {WANTED}" for name in ("file", "median") if name not in columns]
    if len(units) > 1:
        wrong.append(f"all columns must have one unit, but got {', '.join(sorted(units))}")
    if wrong:
        raise ReportError("\n".join(wrong))
    return columns, units.pop()


def _reading(cells: dict[str, str], unit: str) -> Reading:
    if "file" not in cells:
        raise ReportError("`file` must name the model file, but it is empty")
    assert unit in PER_MS, "the pattern of columns holds the known units"
    given = {
        name: milliseconds(cell, name, unit=unit) for name, cell in cells.items() if name not in ("file", "num_samples")
    }
    median = given["median"]
    p10, p90 = given.get("p10", median), given.get("p90", median)
    missing = [name for name in ("p10", "p90", "std") if name not in given]
    return Reading(
        median_ms=median,
        p10_ms=p10,
        p90_ms=p90,
        min_ms=given.get("min", p10),
        mean_ms=given.get("mean", median),
        std_ms=given.get("std", 0.0),
        num_samples=count(cells.get("num_samples", "1"), "num_samples"),
        clock="as whoever filled in the CSV timed it",
        unit=unit,
        key=cells["file"],
        note=f"not given: {', '.join(missing)}" if missing else "",
    )
