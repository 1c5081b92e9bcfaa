"""Reading a run's side files as far as they go: what is missing or damaged costs its own line, and is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from nas.runs.records.event_laws import beyond_64_bits
from nas.runs.records.lines import KINDS, Line
from search_spaces.files.json_lines import num_torn_bytes, sound_lines
from search_spaces.files.strict_json import JsonError

_ADAPTERS: Final[Mapping[type[Line], TypeAdapter[Any]]] = {kind: TypeAdapter(kind) for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What stands in a side file.

    Attributes:
        rows: Its whole lines in order, as plain values with the keys and types of their kind; of lines about the same
            work, the last.
        notices: What is missing or damaged, a sentence each.
    """

    rows: tuple[Mapping[str, Any], ...] = ()
    notices: tuple[str, ...] = ()


def read_records(folder: Path, kind: type[Line], /) -> Records:
    """The lines of a kind in a run directory; nothing here raises for what a file holds."""
    path = folder / kind.file
    if not path.exists():
        why = "the run was begun by an older version, or the file is lost"
        return Records(notices=(f"there is no {kind.file}: {why}",))
    try:
        documents, damaged = sound_lines(path)
        torn = num_torn_bytes(path)
    except (JsonError, OSError) as error:
        return Records(notices=(f"{kind.file} cannot be read: {error}",))
    rows = [row for document in documents if (row := _checked(kind, document)) is not None]
    notices = []
    if num := len(damaged) + len(documents) - len(rows):
        first = f", the first is line {damaged[0]}" if damaged else ""
        notices.append(f"{num} line{'s'[: num > 1]} of {kind.file} are damaged and left out{first}")
    if torn:
        why = "it is being written, or its writer was killed"
        notices.append(f"the last line of {kind.file} is torn and left out: {why}")
    last = {tuple(row[name] for name in kind.key): row for row in rows}
    return Records(rows=tuple(last.values()), notices=tuple(notices))


def _checked(kind: type[Line], document: Any) -> Mapping[str, Any] | None:
    """A line as its kind has it; None where it is none. Keys that a later version adds are left out."""
    adapter = _ADAPTERS[kind]
    if beyond_64_bits(document):
        return None
    try:
        checked: Mapping[str, Any] = adapter.dump_python(adapter.validate_python(document))
    except ValidationError:
        return None
    return checked
