"""Append-only logs of JSON objects, one a line, by processes that may be killed: a line counts when it ends.

A last line that does not end is torn: who reads leaves it out, who appends drops it first. Where several processes
append to one log, each holds it meanwhile (`held`), lest it takes for torn what another is writing.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from search_spaces.files.durable.disk import storage_errors, sync
from search_spaces.files.durable.writing import append
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.strict_text import TextError, check_regular, read_bytes

_BLOCK_BYTES: Final = 1 << 16  # of a file that is looked at from its end


def read_lines(path: Path, /) -> list[Any]:
    """What the whole lines of a file hold; nothing where there is no file.

    Raises:
        JsonError: A whole line is not JSON, or the path is no file; the message names the file and the line.
    """
    if not path.exists():
        return []
    try:
        data = read_bytes(path)
    except TextError as error:
        raise JsonError(str(error)) from error
    documents = []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            documents.append(parse_json(line))
        except JsonError as error:
            raise JsonError(f"line {number} of {path} {error}") from error
    return documents


def sound_lines(path: Path, /) -> tuple[list[Any], list[int]]:
    """What the whole lines of a file hold, as far as they are JSON; nothing where there is no file.

    For files that nothing depends on: what is damaged costs its own line and no other.

    Returns:
        The documents, and the numbers of the lines that are none, counted from 1.

    Raises:
        JsonError: The path is no file.
    """
    if not path.exists():
        return [], []
    try:
        data = read_bytes(path)
    except TextError as error:
        raise JsonError(str(error)) from error
    documents, damaged = [], []
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        try:
            documents.append(parse_json(line))
        except JsonError:
            damaged.append(number)
    return documents, damaged


def num_torn_bytes(path: Path, /) -> int:
    """Bytes of a torn last line; 0 where the file ends with a whole one, or there is no file."""
    if not path.exists():
        return 0
    check_regular(path)
    with path.open("rb") as file:
        size = start = file.seek(0, os.SEEK_END)
        while start:
            end, start = start, max(start - _BLOCK_BYTES, 0)
            file.seek(start)
            if (found := file.read(end - start).rfind(b"\n")) >= 0:
                return size - (start + found + 1)
    return size


def has_lines(path: Path, /) -> bool:
    """Whether a file is there and holds a whole line."""
    if not path.exists():
        return False
    check_regular(path)
    with path.open("rb") as file:
        return file.readline().endswith(b"\n")


@contextmanager
def held(path: Path, /) -> Iterator[None]:
    """Keep a log to this process for a moment; another one that wants it waits. It is made where there is none.

    Raises:
        StorageError: The disk refuses.
    """
    import fcntl  # not everywhere

    if path.exists():
        check_regular(path)
    with storage_errors(path):
        file = path.open("ab")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append_lines(path: Path, documents: Iterable[Mapping[str, Any]], /, *, synced: bool = True) -> None:
    """Add objects after the whole lines of a file.

    The file is made where there is none, also when nothing is added.

    Args:
        path: The file.
        documents: What to add.
        synced: Whether they are on the disk when this returns. Otherwise they outlive their process, but a power cut
            may take the last of them.

    Raises:
        StorageError: The disk refuses; the file ends with the last of its whole lines.
    """
    lines = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    with storage_errors(path):
        is_new = not path.exists()
        with path.open("ab") as file:
            if torn := num_torn_bytes(path):
                file.truncate(path.stat().st_size - torn)
            append(file.fileno(), lines, path=path, synced=synced)
        if is_new and synced:
            sync(path.parent)
