r"""ExecuTorch's `Inspector` as a table of text, tabs between columns (`inspector.to_dataframe().to_csv(sep="\t")`).

The row `Method::execute` is one call of the model; all other events nest inside or happen before, and are never
summed. The unit stands in the column names, such as `p50 (ms)`. `start_time` lists a number per run. Seen in files of
ExecuTorch 1.5; the binary `.etdp` must go through the Inspector first.
"""

import re
from typing import Any, Final

from latency.importers.fields import PER_MS, csv_lines, milliseconds
from latency.importers.reading import Reading, ReportError
from latency.importers.report import Report

EVENT: Final = "Method::execute"
COLUMN: Final = re.compile(r"(p10|p50|p90|avg|min) \((\S+)\)")
NAMES: Final = {"p10": "p10_ms", "p50": "median_ms", "p90": "p90_ms", "avg": "mean_ms", "min": "min_ms"}


def recognises(report: Report, /) -> bool:
    """Whether its first line names the Inspector's columns."""
    head = report.text.partition("\n")[0] if report.document is None else ""
    return "event_name" in head and "\t" in head


def read(report: Report, /) -> tuple[Reading, ...]:
    """The row of the whole method.

    Raises:
        ReportError: It is not there once, or the columns have no unit or several.
    """
    head, *lines = csv_lines(report.text, delimiter="\t")
    units = {match[1]: match[2] for name in head if (match := COLUMN.fullmatch(name))}
    if missing := NAMES.keys() - units.keys():
        raise ReportError(f"columns {sorted(missing)} must be there with their units, such as `p50 (ms)`; got {head}")
    if len(set(units.values())) > 1 or not set(units.values()) <= PER_MS.keys():
        raise ReportError(f"all columns must have one unit of {', '.join(PER_MS)}, but got {units}")
    unit = units["p50"]
    rows = [dict(zip(head, line, strict=False)) for line in lines]
    rows = [row for row in rows if row.get("event_name") == EVENT]
    if len(rows) != 1:
        raise ReportError(f"the event {EVENT} must have one row, but it has {len(rows)}; profile one method per file")
    times: dict[str, Any] = {
        field: milliseconds(rows[0].get(f"{name} ({unit})"), f"{EVENT}, {name} ({unit})", unit=unit)
        for name, field in NAMES.items()
    }
    return (
        Reading(
            **times,
            std_ms=0.0,
            num_samples=max(1, len(re.findall(r"\d+", rows[0].get("start_time") or ""))),
            clock=f"wall, ExecuTorch {EVENT}",
            unit=unit,
            note="no standard deviation",
        ),
    )
