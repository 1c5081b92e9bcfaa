"""The trace of a search: append-only JSON lines, re-read to resume, and as pandas frames for notebooks.

A search is deterministic, so resuming is replaying: it emits its events from the start, those that stand in the file
are checked against it, and the first new one is appended. What may differ between two runs of the same search (clock
times, worker names) stands under the key `runtime` and is not compared.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nas.files.durable import append, storage_errors

RUNTIME: Final = "runtime"


class TraceWarning(UserWarning):
    """Something in a trace was repaired."""


class TraceError(ValueError):
    """A trace that cannot be read, or that a resumed search does not reproduce."""


class Trace:
    """The trace file of one run directory.

    Args:
        path: `trace.jsonl`; made when there is none, repaired when its last line is torn.

    Raises:
        TraceError: A line in the middle is not an event.
        StorageError: It cannot be written to.

    Warns:
        TraceWarning: Its last line was torn.
    """

    def __init__(self, path: Path, /) -> None:
        self._path = path
        self._past = _repair(path) if path.exists() else []
        self._cursor = 0
        with storage_errors(path):
            self._file = path.open("ab")

    @property
    def num_replayed(self) -> int:
        """Events of an earlier process that this one has met again so far."""
        return min(self._cursor, len(self._past))

    @property
    def num_past(self) -> int:
        """Events that stood in the file at the start."""
        return len(self._past)

    def emit(self, event: str, /, *, runtime: Mapping[str, Any] | None = None, fields: Mapping[str, Any]) -> None:
        """Append an event, or check it against the one that stands at its place already.

        Args:
            event: Name of the event.
            runtime: What may differ between two runs of the same search.
            fields: What may not.

        Raises:
            TraceError: The resumed search differs from the one that wrote the file.
            StorageError: The disk refuses; the file ends with the event before.
        """
        line = {"event": event, **json.loads(json.dumps(dict(fields)))}
        if self._cursor < len(self._past):
            past = {key: value for key, value in self._past[self._cursor].items() if key != RUNTIME}
            if past != line:
                keys = sorted(k for k in past.keys() | line.keys() if past.get(k) != line.get(k))
                raise TraceError(
                    f"line {self._cursor + 1} of {self._path} is not what this search gives: {', '.join(keys)} differ "
                    f"({[past.get(k) for k in keys]} there, {[line.get(k) for k in keys]} now); "
                    "model, table or library changed since: start a new run directory"
                )
        else:
            text = json.dumps(line | {RUNTIME: dict(runtime or {})}) + "\n"
            append(self._file.fileno(), text.encode(), path=self._path)
        self._cursor += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_trace(path: Path, /) -> list[dict[str, Any]]:
    """The events of a trace; a torn last line, as of a run that is being written, is left out.

    Raises:
        TraceError: No such file, or a line in the middle is not a JSON object.
    """
    if not path.is_file():
        raise TraceError(f"there is no trace {path}; give the directory of a run")
    return _parse(path, path.read_bytes())[0]


def _parse(path: Path, content: bytes) -> tuple[list[dict[str, Any]], int]:
    """Events and the number of bytes that hold them."""
    end = content.rfind(b"\n") + 1
    events = []
    for number, line in enumerate(content[:end].splitlines(), start=1):
        try:
            event = json.loads(line)
        except ValueError as error:
            raise TraceError(
                f"line {number} of {path} is not JSON: {error}; restore the file or start a new run"
            ) from error
        if not isinstance(event, dict) or "event" not in event:
            raise TraceError(f"line {number} of {path} must be an object with `event`, but got {line[:80]!r}")
        events.append(event)
    return events, end


def _repair(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    events, end = _parse(path, content)
    if end < len(content):
        warnings.warn(f"{path}: dropped a torn last line of {len(content) - end} bytes", TraceWarning, stacklevel=3)
        with storage_errors(path), path.open("r+b") as file:
            file.truncate(end)
    return events
