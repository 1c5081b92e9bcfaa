"""Nested plain values laid flat, and what differs between two of them."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any


class Absent(Enum):
    """A value that only the other side has."""

    ABSENT = "absent"


def differences(old: Mapping[str, Any], new: Mapping[str, Any], /, *, depth: int | None = None) -> dict[str, Any]:
    """What two nested mappings hold otherwise.

    Args:
        old: Plain values.
        new: Plain values.
        depth: Levels of mappings that are looked into; values below are compared whole. None = all.

    Returns:
        (old, new) by dotted name, in the order of names; `Absent.ABSENT` stands for a name that one side lacks.
    """
    flat_old, flat_new = dict(_flat(old, depth)), dict(_flat(new, depth))
    pairs = {
        name: (flat_old.get(name, Absent.ABSENT), flat_new.get(name, Absent.ABSENT))
        for name in sorted(flat_old.keys() | flat_new.keys())
    }
    return {name: (before, now) for name, (before, now) in pairs.items() if before != now}


def _flat(values: Mapping[str, Any], depth: int | None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    deeper = None if depth is None else depth - 1
    for name, value in values.items():
        if isinstance(value, Mapping) and deeper != 0:
            yield from _flat(value, deeper, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
