"""Append-only logs of JSON objects, one a line, by processes that may be killed: a line counts when it ends.

A last line that does not end is torn: who reads leaves it out, who appends drops it first. Where several processes
append to one log, each holds it meanwhile (`held`), lest it takes for torn what another is writing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search_spaces.files.durable.writing import append, storage_errors, sync
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.strict_text import TextError, check_regular, read_bytes


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


def num_torn_bytes(path: Path, /) -> int:
    """Bytes of a torn last line; 0 where the file ends with a whole one, or there is no file."""
    content = read_bytes(path) if path.exists() else b""
    return len(content) - (content.rfind(b"\n") + 1)


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


def append_lines(path: Path, documents: Iterable[Mapping[str, Any]], /) -> None:
    """Add objects after the whole lines of a file; they are on the disk when this returns.

    The file is made where there is none, also when nothing is added.

    Raises:
        StorageError: The disk refuses; the file ends with the last of its whole lines.
    """
    lines = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    with storage_errors(path):
        is_new = not path.exists()
        with path.open("ab") as file:
            if torn := num_torn_bytes(path):
                file.truncate(path.stat().st_size - torn)
            append(file.fileno(), lines, path=path)
        if is_new:
            sync(path.parent)
