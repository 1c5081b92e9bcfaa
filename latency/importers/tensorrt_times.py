"""TensorRT's `trtexec --exportTimes`: a JSON list with an object per query, every time's unit in its key.

`computeMs` is the time on the GPU, without copies to and from it. Old versions export the warm-up queries too, newer
ones do not; the median forgives them. `--exportProfile` sums `timeMs` over `count` runs of fused layers and is
refused. Layout as in trtexec's public sources of TensorRT 7 to 10; no file of our own.
"""

from latency.importers.fields import milliseconds
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report


def recognises(report: Report, /) -> bool:
    """Whether its objects are queries, or the layers of the other export."""
    return any({"computeMs", "startComputeMs", "timeMs"} & event.keys() for event in report.events())


def read(report: Report, /) -> tuple[Reading, ...]:
    """GPU time of every query.

    Raises:
        ReportError: These are layers, or a query without its time.
    """
    events = report.events()
    if any("timeMs" in event for event in events):
        raise ReportError(
            "times of whole queries are needed, but this is `--exportProfile`, whose layers are fused, serialised and "
            "summed over runs; run trtexec with `--exportTimes=FILE.json`"
        )
    samples = [
        milliseconds(event.get("computeMs"), f"[{index}].computeMs", unit="ms") for index, event in enumerate(events)
    ]
    return (reading_of(samples, clock="GPU, trtexec computeMs", unit="ms", compute_unit="gpu"),)
