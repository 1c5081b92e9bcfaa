"""Plain values of a JSON document to dataclasses, every violation with its place.

Nothing is converted: "1" is no number and 1 is no string.
"""

import json
import reprlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError


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


def _sentence(kind: str, message: str, given: Any) -> str:
    match kind:
        case "missing":
            return "must be there, but it is missing"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return f"{message.replace('Input should', 'must')}, but got {reprlib.repr(given)}"
