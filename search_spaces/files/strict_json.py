"""Strict reading of JSON that somebody else wrote: bytes to plain values, or one error that says what is wrong where.

Python's own reader takes more than is good for a file that a person edited or a download broke off: of a key that
stands twice it keeps the last without a word, and what is nested too deep ends it with a `RecursionError`.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from search_spaces.files.strict_text import TextError, decoded, listed
from search_spaces.files.user_error import UserError

MAX_DEPTH: Final = 64  # deeper than any file of ours or of a profiler, far from Python's own limit


class JsonError(UserError):
    """Bytes that are no JSON document, or one that can be read in two ways."""


def parse_json(data: bytes | str, /) -> Any:
    """Plain values of a JSON document.

    Raises:
        JsonError: Not JSON, nested deeper than `MAX_DEPTH`, or a key stands twice in an object.
    """
    try:
        text = decoded(data) if isinstance(data, bytes) else data
    except TextError as error:
        raise JsonError(str(error)) from error
    doubled: list[tuple[dict[str, Any], str]] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            names = [name for name, _ in pairs]
            doubled.append((values, next(name for name in names if names.count(name) > 1)))
        return values

    try:
        document = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, or a whole number of thousands of digits
        raise JsonError(f"must be JSON, but it cannot be read: {error}") from error
    layer, depth = [document], 0
    while layer := [part for whole in layer for _, part in _parts(whole)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise JsonError(f"must be JSON nested at most {MAX_DEPTH} deep, but is deeper")
    if doubled:
        names = sorted({f"{_place(document, values)}.{name}".removeprefix(".") for values, name in doubled})
        raise JsonError(f"must hold every key once, but {listed(names)} stands twice")
    return document


def read_json(path: Path, /) -> Any:
    """Plain values of a file.

    Raises:
        JsonError: It is not a JSON document; the message names the file and the place in it.
        OSError: It cannot be opened.
    """
    try:
        return parse_json(path.read_bytes())
    except JsonError as error:
        raise JsonError(f"{path} {error}") from error


def read_json_object(path: Path, /) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        JsonError: It is not a JSON document, or one of something else than an object.
        OSError: It cannot be opened.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise JsonError(f"{path} must be a JSON object, but holds a {type(document).__name__}")
    return document


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    """The parts of a list or an object that may have parts of their own, each with its place."""
    match value:
        case dict():
            return [(f".{name}", part) for name, part in value.items() if isinstance(part, (dict, list))]
        case list():
            return [(f"[{index}]", part) for index, part in enumerate(value) if isinstance(part, (dict, list))]
        case _:
            return ()


def _place(document: Any, wanted: dict[str, Any]) -> str | None:
    """Where an object stands in a document, such as ".rows[3]"; "" for the document itself."""
    if document is wanted:
        return ""
    for step, part in _parts(document):
        if (rest := _place(part, wanted)) is not None:
            return step + rest
    return None
