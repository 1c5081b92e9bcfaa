"""torch.profiler's chrome trace (`export_chrome_trace`): only annotations `block:<key>` count.

One file may hold many keys, each as often as it ran: `with torch.profiler.record_function("block:" + key): ...`.
`dur` is in microseconds whatever `displayTimeUnit` says; operators nest inside and are never summed. Where the trace
holds GPU kernels, the annotation on the GPU's own timeline counts: the CPU's ends when the work is launched, not when
it is done. Seen in a file of torch 2.15 on a CPU; the GPU's category as in torch's public sources.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Any, Final

from latency.importers.fields import milliseconds, number
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report

PREFIX: Final = "block:"
CPU, GPU = "user_annotation", "gpu_user_annotation"


def recognises(report: Report, /) -> bool:
    """Whether it is a chrome trace in an object, as torch writes it."""
    return isinstance(report.document, dict) and "traceEvents" in report.document


def read(report: Report, /) -> tuple[Reading, ...]:
    """A reading per key, in the order in which they ran first.

    Raises:
        ReportError: No annotations, one inside another of its own key, or GPU work timed by the CPU.
    """
    events = report.document["traceEvents"]
    events = [event for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    category = GPU if any(event.get("cat") == "kernel" for event in events) else CPU
    spans: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        name = event.get("name")
        if event.get("cat") == category and isinstance(name, str) and name.startswith(PREFIX):
            spans[name.removeprefix(PREFIX)].append(event)
    if not spans:
        raise ReportError(
            f"a trace must hold annotations `{PREFIX}<key>` of category {category}, but it holds none; wrap every "
            f'block in `torch.profiler.record_function("{PREFIX}...")`'
        )
    device = "GPU" if category == GPU else "CPU"
    return tuple(
        reading_of(
            _durations(key, found),
            clock=f"wall, torch.profiler annotation on the {device}",
            unit="us",
            key=key,
            compute_unit=device.lower(),
        )
        for key, found in spans.items()
    )


def _durations(key: str, spans: list[dict[str, Any]]) -> list[float]:
    """Milliseconds of every run of one key."""
    place = f"annotation {PREFIX}{key}"
    times = sorted((number(span.get("ts"), f"{place}.ts"), number(span.get("dur"), f"{place}.dur")) for span in spans)
    for (start, duration), (later, _) in pairwise(times):
        if later < start + duration:
            raise ReportError(f"{place}: must not stand inside itself, but runs overlap; give every block its own key")
    return [milliseconds(duration, f"{place}.dur", unit="us") for _, duration in times]
