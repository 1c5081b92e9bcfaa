"""Core ML: a `Measurement` of coremltools' `MLModelBenchmarker.benchmark_predict`, saved as JSON.

coremltools returns values, not files: `json.dump(dataclasses.asdict(measurement), file)` gives an object with
`statistics` (minimum, maximum, average, std_dev, median) and `samples`, in milliseconds as its documentation says.
Times of operators and modules (a list of objects with a `name` and a `measurement`) are shares of a total by the
compute plan's weights: such readings are marked estimated. Layout as in coremltools' public sources; no file of our
own.
"""

from typing import Any

from latency.importers.fields import milliseconds, table, text_or_empty
from latency.importers.reading import Reading, ReportError, reading_of
from latency.importers.report import Report

TOLERANCE = 1e-6


def recognises(report: Report, /) -> bool:
    """Whether it is a measurement or a list of them."""
    if isinstance(report.document, dict):
        return {"statistics", "samples"} <= report.document.keys()
    return any("measurement" in event for event in report.events())


def read(report: Report, /) -> tuple[Reading, ...]:
    """The measurement of a model, or the estimates of its parts by name.

    Raises:
        ReportError: No samples, a part without a name, or statistics of other samples.
    """
    if isinstance(report.document, dict):
        return (_reading(report.document, "measurement", key="", estimated=False),)
    parts = []
    for index, event in enumerate(report.events()):
        place = f"[{index}]"
        if not (name := text_or_empty(event.get("name"))):
            raise ReportError(f"{place}.name: must name the part of the model, but it is missing")
        measurement = table(event.get("measurement"), f"{place}.measurement")
        parts.append(_reading(measurement, f"{place}.measurement", key=name, estimated=True))
    return tuple(parts)


def _reading(measurement: dict[str, Any], place: str, *, key: str, estimated: bool) -> Reading:
    samples = measurement.get("samples")
    if not isinstance(samples, list):
        raise ReportError(f"{place}.samples: must be a list of milliseconds, but it is not")
    times = [milliseconds(sample, f"{place}.samples[{index}]", unit="ms") for index, sample in enumerate(samples)]
    note = "total x weight of the compute plan" if estimated else ""
    reading = reading_of(times, clock="wall, coremltools predict", unit="ms", key=key, estimated=estimated, note=note)
    stated = table(measurement.get("statistics"), f"{place}.statistics").get("median")
    median = milliseconds(stated, f"{place}.statistics.median", unit="ms")
    if abs(median - reading.median_ms) > TOLERANCE * max(1.0, reading.median_ms):
        raise ReportError(
            f"{place}: `statistics.median` must be that of the samples, {reading.median_ms}, but got {median}; "
            "save the measurement as it came"
        )
    return reading
