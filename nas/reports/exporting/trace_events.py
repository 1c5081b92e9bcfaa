"""The workers' timeline as Chrome trace events, which Perfetto and chrome://tracing open.

A row per worker; a scoring task is a slice that is named by its action, a training one that is named by its phase.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from nas.runs.run import Run
from search_spaces.files.durable.writing import write_text
from search_spaces.files.replacing import check_replaceable

_HEAD: Final = b'{"traceEvents": '


def write_trace_events(run: Run, out: Path, /) -> Iterator[tuple[Path, str]]:
    """Write `timeline.json`.

    Raises:
        PlaceError: Something that is no timeline stands there; it was not touched.
        StorageError: The disk refuses.
    """
    events = trace_events(run.timings(), name=run.path.name)
    path = out / "timeline.json"
    check_replaceable(path, _is_timeline, kind="a timeline")
    write_text(path, json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}) + "\n")
    yield (
        path,
        f"{sum(event['ph'] == 'X' for event in events):,} slices; open it at ui.perfetto.dev or chrome://tracing",
    )


def _is_timeline(path: Path) -> bool:
    """Whether a file begins as a timeline does."""
    with path.open("rb") as file:
        return file.read(len(_HEAD)) == _HEAD


def trace_events(timings: pd.DataFrame, /, *, name: str) -> list[dict[str, Any]]:
    """The events: names of the workers first, then a slice per row; times in microseconds since the first.

    Args:
        timings: As `Run.timings` gives them.
        name: Of the run.
    """
    workers = {worker: index for index, worker in enumerate(sorted(set(timings["worker"])))}
    events: list[dict[str, Any]] = [{"ph": "M", "pid": 0, "name": "process_name", "args": {"name": name}}]
    events += [
        {"ph": "M", "pid": 0, "tid": index, "name": "thread_name", "args": {"name": worker}}
        for worker, index in workers.items()
    ]
    begin = timings["start"].min() if len(timings) else 0.0
    for row in timings.to_dict(orient="records"):
        what = row["phase"] if row["phase"] != "scoring" else row["action"] or "round's own architecture"
        details = {key: row[key] for key in ("round", "arch_id", "num_pictures")}
        events.append(
            {
                "ph": "X",
                "pid": 0,
                "tid": workers[row["worker"]],
                "cat": row["phase"],
                "name": str(what),
                "ts": round(1e6 * (row["start"] - begin)),
                "dur": round(1e6 * row["seconds"]),
                "args": details | ({} if pd.isna(row["chunk"]) else {"chunk": int(row["chunk"])}),
            }
        )
    return events
