"""ONNX Runtime's profile (`SessionOptions.enable_profiling`): a JSON list of chrome trace events.

A `model_run` event is one call of `InferenceSession.run`; its `dur` is in microseconds, as in every chrome trace. The
first run is cold and left out. Node events nest inside and are never summed. Seen in a file of onnxruntime 1.32.
"""

from latency.importers.fields import milliseconds
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report

CATEGORIES = ("Session", "Node", "Kernel", "Api")


def recognises(report: Report, /) -> bool:
    """Whether its events are in ONNX Runtime's categories."""
    return any(event.get("cat") == "Session" for event in report.events())


def read(report: Report, /) -> tuple[Reading, ...]:
    """The runs but the first.

    Raises:
        ReportError: Fewer than two runs.
    """
    runs = [
        milliseconds(event.get("dur"), f"events[{index}].dur", unit="us")
        for index, event in enumerate(report.events())
        if event.get("cat") == "Session" and event.get("name") == "model_run"
    ]
    if len(runs) < 2:
        raise ReportError(
            f"an ONNX Runtime profile must hold at least 2 `model_run` events, the first being cold, but got "
            f"{len(runs)}; call `session.run` more often before `end_profiling`"
        )
    note = f"first of {len(runs)} runs left out as cold"
    return (reading_of(runs[1:], clock="wall, onnxruntime model_run", unit="us", note=note),)
