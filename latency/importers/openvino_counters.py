"""OpenVINO's performance counters (`benchmark_detailed_counters_report.json` or `.csv`): times of operators.

The tool ends each request with a total of its own, in ms: `Total` in the column `realTime (ms)`, `total_real_time` in
the JSON. Adding up operators says less than timing the model, so the reading is marked estimated; the report without
counters (`benchmark_report.json`) is the one to import. Seen in files of OpenVINO 2026.4.
"""

from typing import Any

from latency.importers.fields import milliseconds, semicolon_lines, table
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report

COLUMN = "realTime (ms)"
HEADER = f"layerName;execStatus;layerType;execType;{COLUMN}"


def recognises(report: Report, /) -> bool:
    """Whether it is a table of operators."""
    if isinstance(report.document, dict):
        return "report_type" in report.document
    return report.document is None and report.text.lstrip().startswith(HEADER)


def read(report: Report, /) -> tuple[Reading, ...]:
    """The tool's own total of every request.

    Raises:
        ReportError: There is no total.
    """
    totals = _json_totals(report.document) if report.document is not None else _csv_totals(report.text)
    if not totals:
        raise ReportError("performance counters must end with the tool's total, but there is none")
    return (
        reading_of(
            [milliseconds(total, f"total of request {index}", unit="ms") for index, total in enumerate(totals)],
            clock="benchmark_app counters, total of operators",
            unit="ms",
            estimated=True,
            note="the tool's sum over operators; benchmark_report.json holds the time of the model",
        ),
    )


def _json_totals(document: dict[str, Any]) -> list[Any]:
    requests = document.get("detailed_performance", document.get("avg_performance"))
    listed = requests if isinstance(requests, list) else [requests]
    return [table(request, "detailed_performance").get("total_real_time") for request in listed]


def _csv_totals(text: str) -> list[str]:
    lines = semicolon_lines(text)
    if COLUMN not in lines[0]:
        raise ReportError(f"the first line must name the column `{COLUMN}`, but it names {lines[0]}")
    column = lines[0].index(COLUMN)
    totals = [line for line in lines if line[0] == "Total"]
    return [line[column] if column < len(line) else "" for line in totals]
