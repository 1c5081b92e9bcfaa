"""The exports that lie in a run, as a frame."""

from collections.abc import Iterator, Mapping
from math import nan
from pathlib import Path
from typing import Any, Final

import pandas as pd

from nas.runs.frames.opened import OpenedRun
from nas.runs.frames.tidy import ANY, TEXT, WHOLE_OR_NONE, numbers, tidy
from nas.runs.records.event_laws import beyond_64_bits
from search_spaces.files.strict_json import JsonError, read_json_object

REPORT: Final = "export.json"
_COLUMNS: Final = {
    "form": TEXT,
    "path": TEXT,
    "arch_id": ANY,
    "num_params": WHOLE_OR_NONE,
    **numbers("predicted_latency_ms", "measured_latency_ms"),
    "verified": ANY,
}


def export_frame(run: OpenedRun, /) -> pd.DataFrame:
    """One row per export. Its columns stand in `Run.exports`."""
    rows = [row for path in sorted(run.path.glob(f"*/{REPORT}")) for row in _rows(path)]
    return tidy(rows, _COLUMNS)


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """The row of an export; none where its report is damaged."""
    try:
        report = read_json_object(path)
        spec = _spec(path.with_name("architecture.json"))
    except (JsonError, OSError):
        return
    yield (
        str(report.get("form", "")),
        path.parent.name,
        arch_id if isinstance(arch_id := spec.get("arch_id"), str) else None,
        _whole(report.get("num_params")),
        _number(report.get("predicted_ms")),
        _number(report.get("latency_ms")),
        _verified(report),
    )


def _spec(path: Path) -> Mapping[str, Any]:
    return read_json_object(path) if path.is_file() else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not beyond_64_bits(value) else nan


def _whole(value: Any) -> int | None:
    return value if type(value) is int and not beyond_64_bits(value) else None


def _verified(report: Mapping[str, Any]) -> bool | None:
    """Whether its outputs are the supernet's; None where nobody has compared them."""
    difference, tolerance = report.get("max_difference"), report.get("tolerance")
    if not isinstance(difference, (int, float)) or not isinstance(tolerance, (int, float)):
        return None
    return difference <= tolerance
