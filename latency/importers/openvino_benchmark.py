"""OpenVINO's `benchmark_app`: `benchmark_report.json` (`-json_stats`) or `benchmark_report.csv`.

The unit stands in the key `latency (ms)`, the median over all inferences; the average, smallest and largest follow it
without a unit of their own. Values are strings. A failed run leaves an `error` instead. Seen in files of OpenVINO
2026.4 (Python); the C++ tool's JSON names no unit and is refused.
"""

from typing import Any, Final

from latency.importers.fields import count, file_name, milliseconds, semicolon_lines, table, text_or_empty
from latency.importers.reading import Reading, ReportError
from latency.importers.report import Report

SECTIONS: Final = {
    "Command line parameters": "cmd_options",
    "Configuration setup": "configuration_setup",
    "Execution results": "execution_results",
}
DTYPES: Final = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


def recognises(report: Report, /) -> bool:
    """Whether it has the tool's sections, or an error in their place."""
    if isinstance(report.document, dict):
        return bool({"cmd_options", "execution_results"} & report.document.keys())
    return report.document is None and report.text.lstrip().startswith(tuple(SECTIONS))


def read(report: Report, /) -> tuple[Reading, ...]:
    """The median with its companions.

    Raises:
        ReportError: The run failed, several requests ran at once, or the median is missing.
    """
    sections = report.document if report.document is not None else _sections(report.text)
    results = table(sections.get("execution_results", {}), "execution_results")
    if error := sections.get("error") or results.get("error"):
        raise ReportError(f"benchmark_app must have succeeded, but it reports: {error}")
    setup = table(sections.get("configuration_setup", {}), "configuration_setup")
    options = table(sections.get("cmd_options", {}), "cmd_options")
    if "latency (ms)" not in results:
        raise ReportError(
            f"execution_results must hold `latency (ms)`, the median, but it holds {sorted(results)}; "
            "run the Python benchmark_app with `-api sync` and no `-latency_percentile`"
        )
    requests = count(setup.get("number of parallel infer requests", "1"), "number of parallel infer requests")
    if requests != 1:
        raise ReportError(
            f"one request at a time must run, but {requests} ran at once; run benchmark_app with `-api sync`"
        )
    median = milliseconds(results["latency (ms)"], "latency (ms)", unit="ms")
    mean, low, high = (
        milliseconds(results.get(f"{name} latency", median), f"{name} latency", unit="ms")
        for name in ("avg", "min", "max")
    )
    batch = setup.get("batch size")
    return (
        Reading(
            median_ms=median,
            p10_ms=low,
            p90_ms=high,
            min_ms=low,
            mean_ms=mean,
            std_ms=0.0,
            num_samples=count(results.get("total number of iterations", "1"), "total number of iterations"),
            clock="wall, benchmark_app latency",
            unit="ms",
            model=file_name(text_or_empty(options.get("-m"))),
            batch=count(batch, "batch size") if batch not in (None, "") else None,
            dtype=DTYPES.get(text_or_empty(options.get("-infer_precision")).lower(), ""),
            compute_unit=text_or_empty(setup.get("target device")).lower(),
            note="p10 and p90 are the smallest and the largest run; no standard deviation",
        ),
    )


def _sections(text: str) -> dict[str, Any]:
    """The CSV twin as the JSON has it."""
    sections: dict[str, Any] = {}
    current = None
    for line in semicolon_lines(text):
        if len(line) == 1 and line[0] in SECTIONS:
            current = sections.setdefault(SECTIONS[line[0]], {})
        elif current is not None and len(line) > 1:
            current[line[0]] = ";".join(line[1:])
    return sections
