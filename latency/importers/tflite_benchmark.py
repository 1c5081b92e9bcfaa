"""TFLite's `benchmark_model`: its log, or the CSV of `--profiling_output_csv_file`.

The log ends its runs with a line of statistics, `count=50 first=... min=... max=... avg=... std=...` (newer versions
add `p5`, `median` and `p95`), and then `Inference timings in us: ..., Inference (avg): ...`; the first `count=` line is
the warm-up's. All of these are microseconds. Tables of operators are in ms and are never summed; the CSV holds nothing
else but their own summary, `Timings (microseconds): count=...`, under the heading of the regular runs. Seen in
published logs of TensorFlow 2.x and LiteRT; no file of our own. Versions without a median give the mean in its place.
"""

import re
from typing import Any, Final

from latency.importers.fields import count, file_name, milliseconds
from latency.importers.reading import Reading, ReportError
from latency.importers.report import Report

SUMMARY: Final = "Inference timings in us:"
OPERATORS: Final = "Timings (microseconds):"
REGULAR: Final = "Operator-wise Profiling Info for Regular Benchmark Runs"
FIELD: Final = re.compile(r"\b(count|curr|min|max|avg|std|p5|median|p95)=([-+.\deE]+)")
AVERAGE: Final = re.compile(r"Inference \(avg\): *([-+.\deE]+)")
GRAPH: Final = re.compile(r"Graph: \[([^\]]*)\]")
TOLERANCE: Final = 0.01  # the log prints six digits


def recognises(report: Report, /) -> bool:
    """Whether it holds one of the tool's summaries."""
    return report.document is None and (SUMMARY in report.text or OPERATORS in report.text)


def read(report: Report, /) -> tuple[Reading, ...]:
    """The regular runs.

    Raises:
        ReportError: Their statistics are missing, or are not those of the summary.
    """
    graph = GRAPH.search(report.text)
    model = file_name(graph[1]) if graph else ""
    if SUMMARY not in report.text:
        return (_reading(_operator_line(report.text), model, "the tool's sum over operators, profiled"),)
    before, _, summary = report.text.partition(SUMMARY)
    lines = [line for line in before.splitlines() if "count=" in line and OPERATORS not in line]
    average = AVERAGE.search(summary.partition("\n")[0])
    if not lines or average is None:
        raise ReportError(
            f"a line `count=...` must stand before `{SUMMARY} ... Inference (avg): ...`, but one is missing"
        )
    reading = _reading(lines[-1], model, "")
    stated = milliseconds(average[1], "Inference (avg)", unit="us")
    if abs(reading.mean_ms - stated) > TOLERANCE * reading.mean_ms:
        raise ReportError(
            f"the last `count=` line must be of the runs in the summary, but its average is {reading.mean_ms} ms "
            f"and theirs {stated} ms"
        )
    return (reading,)


def _operator_line(text: str) -> str:
    """The summary of the operators' table of the regular runs, not that of the initialisation."""
    _, heading, regular = text.partition(REGULAR)
    lines = [line for line in (regular if heading else text).splitlines() if OPERATORS in line]
    if len(lines) != 1:
        raise ReportError(
            f"one line `{OPERATORS} count=...` must follow the heading of the regular runs, but got {len(lines)}; "
            "keep the tool's log, which holds the summary of whole runs"
        )
    return lines[0]


def _reading(line: str, model: str, remark: str) -> Reading:
    values = dict(FIELD.findall(line))
    mean = values.get("avg", values.get("curr"))  # one run, or all the same: the tool prints `curr` alone
    median = values.get("median", mean)
    low, high = values.get("p5", values.get("min", median)), values.get("p95", values.get("max", median))
    fields = {
        "median_ms": median, "p10_ms": low, "p90_ms": high, "min_ms": values.get("min", low), "mean_ms": mean,
        "std_ms": values.get("std", "0"),
    }  # fmt: skip
    notes = [
        remark,
        "" if "median" in values else "the mean stands in for the median, which this version does not report",
        "p10 and p90 are the report's p5 and p95" if "p5" in values else "p10 and p90 are the shortest and longest run",
    ]
    times: dict[str, Any] = {
        name: milliseconds(value, name.removesuffix("_ms"), unit="us") for name, value in fields.items()
    }
    return Reading(
        **times,
        num_samples=count(values.get("count"), "count"),
        clock="wall, benchmark_model",
        unit="us",
        model=model,
        note="; ".join(filter(None, notes)),
    )
