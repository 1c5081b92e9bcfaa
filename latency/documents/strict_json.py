"""Strict reading of JSON: bytes to plain values, and plain values to dataclasses, every violation with its place.

Nothing is converted: "1" is no number and 1 is no string. Whatever a file holds, the only error is a
`LatencyTableError`.
"""

import codecs
import json
import reprlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from latency.pricing.scenario import LatencyTableError

MAX_DEPTH: Final = 64  # deeper than any file of ours or of a profiler, far from Python's own limit


def decoded(data: bytes, /) -> str:
    """Text of a file: UTF-8, or what its byte order mark says (redirected output on Windows is UTF-16).

    Raises:
        LatencyTableError: It is no text.
    """
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LatencyTableError(f"must be text in UTF-8, but it is not: {error}") from error


def parse_json(data: bytes | str, /) -> Any:
    """Plain values of a JSON document.

    Raises:
        LatencyTableError: Not JSON, or nested deeper than `MAX_DEPTH`.
    """
    text = decoded(data) if isinstance(data, bytes) else data
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: not JSON, or a whole number of thousands of digits
        raise LatencyTableError(f"must be JSON, but it cannot be read: {error}") from error
    layer, depth = [document], 0
    while layer := [part for whole in layer for part in _parts(whole)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise LatencyTableError(f"JSON must be nested at most {MAX_DEPTH} deep, but this is deeper")
    return document


def validated(kind: Any, part: Any, /, *, place: str, wrong: list[str]) -> Any:
    """The dataclass or tuple that plain JSON stands for, or None and sentences about what is wrong.

    Args:
        kind: The type.
        part: Lists, dicts, strings, numbers.
        place: Where it stands, such as "rows[3]"; "" for a whole document.
        wrong: Gets a sentence for every violation.
    """
    try:
        return _adapter(kind).validate_json(json.dumps(part), strict=True)
    except ValidationError as error:
        for details in error.errors():
            steps = (step for step in details["loc"] if step != "signature")  # rows and blocks hold it flat
            where = place + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
            sentence = _sentence(details["type"], details["msg"], details["input"])
            wrong.append(f"{where.removeprefix('.')}: {sentence}" if where else sentence)
        return None


def strangers(part: Mapping[str, Any], known: Iterable[str], /, *, place: str) -> list[str]:
    """A sentence for every key that the schema does not know."""
    names = set(known)
    prefix = f"{place}." if place else ""
    return [
        f"{prefix}{key}: is no key of the schema; known are {', '.join(sorted(names))}"
        for key in part
        if key not in names
    ]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _parts(value: Any) -> Iterable[Any]:
    """The parts of a list or an object that may have parts of their own."""
    match value:
        case dict():
            return [part for part in value.values() if isinstance(part, (dict, list))]
        case list():
            return [part for part in value if isinstance(part, (dict, list))]
        case _:
            return ()


def _sentence(kind: str, message: str, given: Any) -> str:
    match kind:
        case "missing":
            return "must be there, but it is missing"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return f"{message.replace('Input should', 'must')}, but got {reprlib.repr(given)}"
