"""Qualcomm AI Hub's profile (`profile_job.download_profile()` saved as JSON): whole-model times in microseconds.

`execution_summary.all_inference_times` lists the runs on the hosted device; their median is taken.
`estimated_inference_time`, the service's own summary (about the fastest run, in published profiles), is taken where
the list is missing and else only noted. `execution_detail` holds layers, may be empty, and is never summed. Layout and
units as in the client library's public sources and in profiles that people published; no file of our own.
"""

from latency.importers.fields import milliseconds, table, text_or_empty
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report

CLOCK = "AI Hub, inference on the hosted device"


def recognises(report: Report, /) -> bool:
    """Whether it has the service's summary."""
    return isinstance(report.document, dict) and "execution_summary" in report.document


def read(report: Report, /) -> tuple[Reading, ...]:
    """The runs, or the summary alone.

    Raises:
        ReportError: The profile holds neither.
    """
    summary = table(report.document["execution_summary"], "execution_summary")
    stated = summary.get("estimated_inference_time")
    times = summary.get("all_inference_times")
    units = _units(report.document.get("execution_detail"))
    if isinstance(times, list) and times:
        samples = [milliseconds(time, f"all_inference_times[{index}]", unit="us") for index, time in enumerate(times)]
        note = f"estimated_inference_time {stated} us" if stated is not None else ""
        return (reading_of(samples, clock=CLOCK, unit="us", compute_unit=units, note=note),)
    if stated is None:
        raise ReportError(
            "execution_summary must hold `all_inference_times` or `estimated_inference_time`, but it holds "
            f"{sorted(summary)}; download the profile of a job that succeeded"
        )
    time = milliseconds(stated, "execution_summary.estimated_inference_time", unit="us")
    note = "estimated_inference_time alone: number of runs and spread unknown"
    return (reading_of([time], clock=CLOCK, unit="us", compute_unit=units, note=note),)


def _units(detail: object) -> str:
    """Compute units of all layers, such as "cpu+npu"."""
    layers = detail if isinstance(detail, list) else []
    found = {text_or_empty(layer.get("compute_unit")).lower() for layer in layers if isinstance(layer, dict)}
    return "+".join(sorted(found - {""}))
