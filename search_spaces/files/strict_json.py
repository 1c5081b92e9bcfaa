"""Strict reading of JSON that somebody else wrote: bytes to plain values, or one error that says what is wrong where.

Python's own reader takes more than is good for a file that a person edited or a download broke off: of a key that
stands twice it keeps the last without a word, and what is nested too deep ends it with a `RecursionError`.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from search_spaces.files.strict_text import TextError, decoded, read_bytes
from search_spaces.files.user_error import UserError

MAX_DEPTH: Final = 64  # deeper than any file of ours or of a profiler, far from Python's own limit

MAX_PLACES: Final = 20  # as many as a person reads
MAX_NAME: Final = 80  # characters of a key, or of a place, in a message


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
    doubled: dict[int, tuple[dict[str, Any], str]] = {}  # by `id`, which holds as long as the object is kept here

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            doubled[id(values)] = (values, _first_doubled(name for name, _ in pairs))
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
        found = (
            f"{place}.{_in_short(doubled[id(values)][1])}".removeprefix(".")
            for place, values in _walked("", document)
            if id(values) in doubled
        )
        places = ", ".join(islice(found, MAX_PLACES))
        more = f" (the first of {len(doubled):,})" if len(doubled) > MAX_PLACES else ""
        raise JsonError(f"must hold every key once, but {places} stands twice{more}")
    return document


def read_json(path: Path, /) -> Any:
    """Plain values of a file.

    Raises:
        JsonError: It is not a JSON document; the message names the file and the place in it.
        OSError: It cannot be opened.
    """
    try:
        data = read_bytes(path)
    except TextError as error:
        raise JsonError(str(error)) from error
    try:
        return parse_json(data)
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
            return [(f".{_in_short(name)}", part) for name, part in value.items() if isinstance(part, (dict, list))]
        case list():
            return [(f"[{index}]", part) for index, part in enumerate(value) if isinstance(part, (dict, list))]
        case _:
            return ()


def _walked(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Lists and objects in a value and itself, each with where it stands, such as ".rows[3]"; "" for the document."""
    yield place, value
    for step, part in _parts(value):
        yield from _walked(_in_short(place + step), part)


def _first_doubled(names: Iterable[str]) -> str:
    """The first name that was there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            break
        seen.add(name)
    return name


def _in_short(text: str) -> str:
    """Both ends of a long name."""
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME // 2]}...{text[-MAX_NAME // 2 :]}"
