"""All importers by name, and which of them understands a report."""

import reprlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from latency.importers import (
    ai_hub_profile,
    coreml_measurement,
    executorch_inspector,
    litert_benchmark,
    onnxruntime_profile,
    openvino_benchmark,
    openvino_counters,
    plain_csv,
    tensorrt_times,
    tflite_benchmark,
    torch_trace,
)
from latency.importers.reading import Reading, ReportError
from latency.importers.report import Report
from latency.plugins import Door, PluginWarning, instance_of, named
from search_spaces.files.user_error import PluginError

GROUP: Final = "latency.importers"
MAX_COLUMNS: Final = 12  # that a message names
AUTO: Final = "auto"  # on the command line: find the format out
ETDUMP_MAGIC: Final = b"ED00"  # identifier of ExecuTorch's binary traces, behind a length and an offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """A profiler's format: what stands behind a name of the door `latency.importers`.

    Attributes:
        name: On the command line and in a table's `protocol.importer`.
        runtime: Runtime that wrote the report; "" where the format does not say.
        recognises: Whether a report is of this format, from its content.
        read: Its readings.
        about: What it is, in a line; "" = its name says it.
    """

    name: str
    runtime: str
    recognises: Callable[[Report], bool]
    read: Callable[[Report], tuple[Reading, ...]]
    about: str = ""


IMPORTERS: Final = {
    importer.name: importer
    for importer in (
        Importer(
            name=name,
            runtime=runtime,
            recognises=module.recognises,
            read=module.read,
            about=str(module.__doc__).partition("\n")[0],
        )
        for name, runtime, module in (
            ("onnxruntime", "onnxruntime", onnxruntime_profile),
            ("openvino", "openvino", openvino_benchmark),
            ("openvino-counters", "openvino", openvino_counters),
            ("executorch", "executorch", executorch_inspector),
            ("litert", "litert", litert_benchmark),
            ("tflite", "tflite", tflite_benchmark),
            ("ai-hub", "qualcomm-ai-hub", ai_hub_profile),
            ("tensorrt", "tensorrt", tensorrt_times),
            ("torch", "torch", torch_trace),
            ("coreml", "coreml", coreml_measurement),
            ("csv", "", plain_csv),
        )
    )
}


def importer_door() -> Door[Importer]:
    """Ours and the plugins' importers."""
    return Door(GROUP, noun="importer", option="`--format`", ours=IMPORTERS, check=_flaw, besides=(AUTO,))


def detect(report: Report, /) -> Importer:
    """The importer that understands a report, ours or a plugin's.

    Raises:
        ReportError: None does, or several do.
    """
    if report.data[8:12] == ETDUMP_MAGIC:
        raise ReportError(
            "ExecuTorch's binary trace must be turned into text first: "
            '`executorch.devtools.Inspector(etdump_path=...).to_dataframe().to_csv("NAME.tsv", sep="\\t")`'
        )
    known = importer_door().working()
    found = [importer for importer in known.values() if _recognises(importer, report)]
    if len(found) != 1:
        which = " and ".join(importer.name for importer in found) or "none"
        raise ReportError(
            f"a report must be of one of the formats {', '.join(known)}, but it looks like {which}"
            f"{_columns_of(report)}; name its format, or fill in the CSV beside the manifest"
        )
    return found[0]


def read_report(report: Report, /, *, importer: Importer | None = None) -> tuple[Importer, tuple[Reading, ...]]:
    """The readings of a report, and who understood it.

    Args:
        report: The file.
        importer: Its format; None = find out.

    Raises:
        ReportError: The report cannot be understood; the message begins with its name.
    """
    try:
        chosen = importer or detect(report)
        if not chosen.recognises(report):
            raise ReportError(f"must be a report of {chosen.name}, but it does not look like one{_columns_of(report)}")
        with named(f"importer {chosen.name!r} at {report.name}"):
            readings: object = chosen.read(report)
    except ReportError as error:
        raise ReportError("\n".join(f"{report.name}: {line}" for line in str(error).splitlines())) from error
    if not (isinstance(readings, tuple) and all(isinstance(each, Reading) for each in readings)):
        raise PluginError(
            f"importer {chosen.name!r} must read {report.name} into a tuple of "
            f"`latency.importers.Reading`, but gave {reprlib.repr(readings)}"
        )
    return chosen, readings


def _columns_of(report: Report) -> str:
    """What a table of text that nobody understands has for columns, and what ours would have; "" for anything else."""
    if report.document is not None or len(names := plain_csv.columns_of(report)) < 2:
        return ""
    found = ", ".join(reprlib.repr(name) for name in names[:MAX_COLUMNS])
    more = f" and {len(names) - MAX_COLUMNS} more" if len(names) > MAX_COLUMNS else ""
    return f". It has the columns {found}{more}, while a CSV needs {plain_csv.WANTED}"


def _recognises(importer: Importer, report: Report) -> bool:
    """Whether an importer claims a report; a plugin that breaks on it does not, and is named."""
    if IMPORTERS.get(importer.name) is importer:
        return importer.recognises(report)
    try:
        return importer.recognises(report)
    except ReportError:
        raise
    except Exception as error:  # whatever a stranger's importer does with a file that is not for it
        message = f"importer {importer.name!r}, a plugin's, raises {type(error).__name__} at {report.name}: {error}"
        warnings.warn(f"{message}; it is left out, ask its authors", PluginWarning, stacklevel=3)
        return False


def _flaw(value: object, name: str) -> str:
    if flaw := instance_of(Importer, wanted="a `latency.importers.Importer`")(value, name):
        return flaw
    assert isinstance(value, Importer)
    return "" if value.name == name else f"must be called as its entry point, but its `name` is {value.name!r}"
