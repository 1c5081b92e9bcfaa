"""Lines of JSON on disk, added one by one by processes that may be killed: a line counts when it ends.

The first line says what was measured; whoever goes on must be measuring the same.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


def whole_lines(path: Path, /) -> list[bytes]:
    """Whole lines of a file, none where there is no file; what a killed process left of another is not read."""
    if not path.exists():
        return []
    return [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def append_lines(path: Path, documents: Iterable[Mapping[str, Any]], /, *, kept: Iterable[bytes]) -> None:
    """Add documents after the whole lines that a file holds; they are on the disk when this returns."""
    with path.open("ab") as file:
        file.truncate(sum(map(len, kept)))
        file.write(b"".join(json.dumps(each).encode() + b"\n" for each in documents))
        file.flush()
        os.fsync(file.fileno())


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], /) -> Iterator[str]:
    """A sentence for every value that one scenario has otherwise than the other."""
    flat_theirs, flat_ours = dict(_flat(theirs)), dict(_flat(ours))
    for name in sorted(flat_theirs.keys() | flat_ours.keys()):
        if flat_theirs.get(name) != flat_ours.get(name):
            yield f"{name} is {flat_theirs.get(name)!r} instead of {flat_ours.get(name)!r}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
