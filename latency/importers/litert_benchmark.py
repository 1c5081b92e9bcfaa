"""`litert-benchmark --result_json`: one JSON object per model; every time's unit stands in its key.

Seen in files of litert-torch 0.10 / ai-edge-litert 2.3. The report has the 5th and 95th percentiles instead of the
10th and 90th: they stand in, a little wider.
"""

from typing import Any

from latency.importers.fields import count, file_name, milliseconds, table, text_or_empty
from latency.importers.reading import Reading
from latency.importers.report import Report

NAMES = {
    "median_ms": "median_ms",
    "p10_ms": "p5_ms",
    "p90_ms": "p95_ms",
    "min_ms": "min_ms",
    "mean_ms": "avg_ms",
    "std_ms": "std_ms",
}


def recognises(report: Report, /) -> bool:
    """Whether it has the tool's objects."""
    return isinstance(report.document, dict) and {"model", "latency"} <= report.document.keys()


def read(report: Report, /) -> tuple[Reading, ...]:
    """The object `latency`.

    Raises:
        ReportError: A field is missing or no number.
    """
    latency = table(report.document["latency"], "latency")
    times: dict[str, Any] = {
        field: milliseconds(latency.get(name), f"latency.{name}", unit="ms") for field, name in NAMES.items()
    }
    accelerators = report.document.get("accelerators")
    units = [text_or_empty(unit).lower() for unit in accelerators] if isinstance(accelerators, list) else []
    return (
        Reading(
            **times,
            num_samples=count(latency.get("num_runs"), "latency.num_runs"),
            clock="wall, litert-benchmark",
            unit="ms",
            model=file_name(text_or_empty(report.document["model"])),
            compute_unit="+".join(units),
            note="p10 and p90 are the report's p5 and p95",
        ),
    )
