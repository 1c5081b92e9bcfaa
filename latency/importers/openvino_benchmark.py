"""OpenVINO's `benchmark_app`: `benchmark_report.json` (`-json_stats`) or `benchmark_report.csv`.

The unit stands in the key. The Python tool writes `latency (ms)`, the median over all inferences, and the average,
smallest and largest without a unit of their own; the C++ tool's CSV has `Median latency (ms)`, `Average latency (ms)`,
`Min latency (ms)`, `Max latency (ms)`, and names its options without dashes. The tool of 2020 wrote the median alone:
then nothing is known of the spread. Values are strings. A failed run leaves an `error` instead. Seen in files of
OpenVINO 2026.4 (Python) and in the C++ tool's source; its JSON names no unit and is refused.
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
# Median, average, smallest and largest, as the Python tool and as the C++ tool call them.
LABELS: Final = (
    ("latency (ms)", "avg latency", "min latency", "max latency"),
    ("Median latency (ms)", "Average latency (ms)", "Min latency (ms)", "Max latency (ms)"),
)
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
    labels = next((labels for labels in LABELS if labels[0] in results), None)
    if labels is None:
        raise ReportError(
            f"execution_results must hold {' or '.join(f'`{names[0]}`' for names in LABELS)}, the median, but it holds "
            f"{sorted(results)}; run benchmark_app with `-api sync` and no `-latency_percentile`, the C++ tool without "
            "`-json_stats`, since its JSON has no units"
        )
    requests = count(setup.get("number of parallel infer requests", "1"), "number of parallel infer requests")
    if requests != 1:
        raise ReportError(
            f"one request at a time must run, but {requests} ran at once; run benchmark_app with `-api sync`"
        )
    median = milliseconds(results[labels[0]], labels[0], unit="ms")
    mean, low, high = (milliseconds(results.get(name, median), name, unit="ms") for name in labels[1:])
    has_spread = labels[2] in results and labels[3] in results
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
            model=file_name(text_or_empty(options.get("-m", options.get("m")))),
            batch=count(batch, "batch size") if batch not in (None, "") else None,
            dtype=DTYPES.get(
                text_or_empty(options.get("-infer_precision", options.get("infer_precision"))).lower(), ""
            ),
            compute_unit=text_or_empty(setup.get("target device")).lower(),
            note="p10 and p90 are the smallest and the largest run; no standard deviation"
            if has_spread
            else "the report has no smallest and largest run: the spread is unknown",
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
