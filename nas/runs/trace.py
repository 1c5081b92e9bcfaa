"""The trace of a search: append-only JSON lines, re-read to resume, and as pandas frames for notebooks.

A search is deterministic, so resuming is replaying: it emits its events from the start, those that stand in the file
are checked against it, and the first new one is appended. What may differ between two runs of the same search (clock
times, worker names) stands under the key `runtime` and is not compared.
"""

import json
import reprlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, Final

from nas.runs.records.event_laws import flaws
from search_spaces.files.json_lines import append_lines, num_torn_bytes, read_lines, sound_lines
from search_spaces.files.paths import local_path, no_such_file
from search_spaces.files.strict_json import JsonError
from search_spaces.files.user_error import UserError

RUNTIME: Final = "runtime"
_LAST_TIME: Final = 253_370_764_800  # the year 9999, where calendars of computers end


class TraceWarning(UserWarning):
    """Something in a trace was repaired."""


class TraceError(UserError):
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
        self._past = _events(path)
        self._cursor = 0
        torn = num_torn_bytes(path)
        append_lines(path, ())
        if torn:
            warnings.warn(f"{path}: dropped a torn last line of {torn} bytes", TraceWarning, stacklevel=2)

    @property
    def num_replayed(self) -> int:
        """Events of an earlier process that this one has met again so far."""
        return min(self._cursor, len(self._past))

    @property
    def is_replaying(self) -> bool:
        """Whether the next event stands in the file already."""
        return self._cursor < len(self._past)

    @property
    def past(self) -> Sequence[Mapping[str, Any]]:
        """Events that stood in the file at the start."""
        return self._past

    @property
    def num_past(self) -> int:
        """Events that stood in the file at the start."""
        return len(self._past)

    @property
    def begun_with(self) -> Mapping[str, str] | None:
        """Digests of what the search depended on when it began; None when the file holds no beginning."""
        digests = self._past[0].get("digests") if self._past else None
        return digests if isinstance(digests, Mapping) else None

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
        if self.is_replaying:
            past = {key: value for key, value in self._past[self._cursor].items() if key != RUNTIME}
            if past != line:
                keys = sorted(k for k in past.keys() | line.keys() if past.get(k) != line.get(k))
                raise TraceError(
                    f"line {self._cursor + 1} of {self._path} is not what this search gives: {', '.join(keys)} differ "
                    f"({[past.get(k) for k in keys]} there, {[line.get(k) for k in keys]} now); "
                    "model, table, library or the run's own config.yaml changed since: take that back, or start a new "
                    "run directory"
                )
        else:
            append_lines(self._path, [line | {RUNTIME: dict(runtime or {})}])
        self._cursor += 1

    def close(self) -> None:
        """Nothing is held between two events."""


def read_trace(path: str | PathLike[str], /) -> list[dict[str, Any]]:
    """The events of a trace; a torn last line, as of a run that is being written, is left out.

    Raises:
        TraceError: No such file, or a line is no event: not JSON, or without what its readers count on.
    """
    trace = local_path(path)
    if not trace.is_file():
        raise TraceError(no_such_file(trace, what="trace", remedy="give the directory of a run"))
    events = _events(trace)
    for number, event in enumerate(events, start=1):
        if wrong := flaws(event):
            raise TraceError(
                f"line {number} of {trace} is no event {reprlib.repr(event['event'])} of a search: {'; '.join(wrong)}; "
                "restore the file or start a new run"
            )
    return events


def read_sound_events(path: Path, /) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of a trace up to the first that is damaged, and a sentence for each thing that is wrong with it."""
    if not path.exists():
        return [], ["there is no trace.jsonl yet: the search was stopped before its first event, or the file is lost"]
    try:
        documents, damaged = sound_lines(path)
        torn = num_torn_bytes(path)
    except (JsonError, OSError) as error:
        return [], [f"trace.jsonl cannot be read: {error}"]
    first_damaged = damaged[0] if damaged else len(documents) + 1
    events: list[dict[str, Any]] = []
    wrong = "is not JSON" if damaged else ""
    for number, event in enumerate(documents[: first_damaged - 1], start=1):
        if not isinstance(event, dict) or "event" not in event:
            wrong = "is no event"
        elif found := flaws(event):
            wrong = f"is no event {reprlib.repr(event['event'])} of a search: {'; '.join(found)}"
        else:
            events.append(event)
            continue
        first_damaged = number
        break
    notices = []
    if wrong:
        num = len(documents) + len(damaged) - first_damaged
        notices.append(f"line {first_damaged} of trace.jsonl {wrong}: it and the {num} lines after it are left out")
    if torn:
        why = "it is being written, or its writer was killed"
        notices.append(f"the last line of trace.jsonl is torn and left out: {why}")
    if not documents and not torn:
        notices.append("trace.jsonl holds no event yet")
    return events, notices


def recorded_digests(events: Iterable[Mapping[str, Any]], /) -> list[Mapping[str, str]]:
    """Digests of what a search was made of: those of its start, then those of each extension."""
    return [digests for event in events if isinstance(digests := event.get("digests"), Mapping)]


def seconds_of(event: Mapping[str, Any], /) -> float:
    """Seconds of work that an event's clock says; 0 where it says none."""
    seconds = event.get(RUNTIME, {}).get("seconds")
    return float(seconds) if _is_number(seconds) and seconds > 0 else 0.0


def passes_of(event: Mapping[str, Any], /) -> int:
    """UNet passes that another score than the run's own took, what workers prepared for it included; 0 of others."""
    passes = event.get(RUNTIME, {}).get("passes")
    return int(passes) if _is_number(passes) and passes > 0 else 0


def num_passes(events: Iterable[Mapping[str, Any]], /) -> int:
    """UNet passes that other scores than a run's own took in all; see `passes_of`."""
    return sum(map(passes_of, events))


def time_of(event: Mapping[str, Any], /) -> float | None:
    """Unix seconds at which an event was written; None where nothing says it, or no calendar has such a day."""
    time = event.get(RUNTIME, {}).get("time")
    return float(time) if _is_number(time) and 0 <= time < _LAST_TIME else None


def losses_of(event: Mapping[str, Any], /) -> list[float]:
    """Losses of a training by its steps, where a trace of an older version holds them."""
    losses = event.get(RUNTIME, {}).get("losses")
    return [float(loss) for loss in losses] if isinstance(losses, list) and all(map(_is_number, losses)) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def _events(path: Path) -> list[dict[str, Any]]:
    """What stands in the whole lines of a trace."""
    try:
        events = read_lines(path)
    except JsonError as error:
        raise TraceError(f"{error}; restore the file or start a new run") from error
    for number, event in enumerate(events, start=1):
        if not isinstance(event, dict) or "event" not in event:
            raise TraceError(f"line {number} of {path} must be an object with `event`, but is {reprlib.repr(event)}")
    return events
