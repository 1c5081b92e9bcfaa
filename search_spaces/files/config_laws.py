"""Laws of a config that somebody else wrote and a library will read: which keys may stand in it, and what they hold.

An allow-list: a key that no law names is a fault, since nobody knows what a library of today or tomorrow does with it.
Numbers have bounds, so that nothing is built or allocated before it is known to be of a size that models have. Pure.
"""

import reprlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, TypeAlias

MAX_TEXT: Final = 10_000  # characters; beyond any name, type or path


@dataclass(frozen=True, slots=True)
class Law:
    """What a value must be.

    Attributes:
        says: In words, after "must be".
        holds: Whether a plain value is.
    """

    says: str
    holds: Callable[[Any], bool]

    def __or__(self, other: "Law") -> "Law":
        return Law(f"{self.says} or {other.says}", lambda value: self.holds(value) or other.holds(value))


Laws: TypeAlias = dict[str, Law]


def whole(low: int, high: int, /) -> Law:
    """A whole number; true and false are none."""
    return Law(
        f"a whole number from {low} to {high}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
    )


def number(low: float = -1e12, high: float = 1e12, /) -> Law:
    """A finite number; true and false are none."""
    return Law(
        "a finite number" if (low, high) == (-1e12, 1e12) else f"a number from {low:g} to {high:g}",
        lambda value: (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and (isinstance(value, int) or isfinite(value))
            and low <= value <= high
        ),
    )


def among(*values: str) -> Law:
    """One of some texts."""
    return Law(" or ".join(map(repr, values)), lambda value: isinstance(value, str) and value in values)


def listed(law: Law, /, *, least: int = 0, most: int) -> Law:
    """A list, each of whose entries obeys a law."""
    return Law(
        f"a list of {least} to {most} entries, each {law.says}",
        lambda value: isinstance(value, (list, tuple)) and least <= len(value) <= most and all(map(law.holds, value)),
    )


def mapped(law: Law, /, *, most: int) -> Law:
    """An object, each of whose values obeys a law."""
    return Law(
        f"an object of at most {most} entries, each {law.says}",
        lambda value: isinstance(value, dict) and len(value) <= most and all(map(law.holds, value.values())),
    )


def obeying(laws: Laws, /) -> Law:
    """An object that obeys laws by key."""
    return Law(
        f"an object of {', '.join(laws)}", lambda value: isinstance(value, dict) and not config_faults(value, laws)
    )


NULL: Final = Law("null", lambda value: value is None)
FLAG: Final = Law("true or false", lambda value: isinstance(value, bool))
TEXT: Final = Law("a text", lambda value: isinstance(value, str) and len(value) <= MAX_TEXT)
OBJECT: Final = Law("an object", lambda value: isinstance(value, dict))


def config_faults(config: Mapping[str, Any], laws: Laws, /, *, ignored: Collection[str] | None = ()) -> list[str]:
    """What is wrong with a config, a sentence each.

    Args:
        config: Plain values.
        laws: By key; keys may be absent.
        ignored: Keys that may hold anything, because nothing reads them; None = all that no law names.
    """
    wrong = []
    for key, value in config.items():
        if key in laws:
            if not laws[key].holds(value):
                wrong.append(f"`{key}` must be {laws[key].says}, but got {_shown(value)}")
        elif ignored is not None and key not in ignored:
            wrong.append(f"`{reprlib.repr(key)[1:-1]}` may not stand there, but holds {_shown(value)}")
    return wrong


def _shown(value: Any) -> str:
    """A value, cut short."""
    try:
        return reprlib.repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"
