"""Laws of a config: each kind of value at its bounds, and every fault told with its key."""

import math
from typing import Any

import pytest

from search_spaces.files.config_laws import (
    FLAG,
    MAX_TEXT,
    NULL,
    TEXT,
    Law,
    among,
    config_faults,
    listed,
    mapped,
    number,
    obeying,
    whole,
)


@pytest.mark.parametrize(
    ("law", "held", "broken"),
    [
        (whole(1, 3), [1, 3], [0, 4, True, 2.0, "2"]),
        (number(), [0, -1.5, 10**12], [math.nan, math.inf, True, 10**13, "1"]),
        (number(0, 1), [0, 1, 0.5], [-0.1, 1.1, 2]),
        (among("a", "b"), ["a", "b"], ["c", "", None]),
        (listed(FLAG, least=1, most=2), [[True], (True, False)], [[], [True] * 3, [1], "ab"]),
        (mapped(FLAG, most=1), [{}, {"a": True}], [{"a": 1}, {"a": True, "b": True}, [True]]),
        (obeying({"a": FLAG}), [{}, {"a": True}], [{"a": 1}, {"b": True}, [True]]),
        (TEXT | NULL, ["", "x" * MAX_TEXT, None], ["x" * (MAX_TEXT + 1), 1, False]),
    ],
    ids=lambda value: value.says if isinstance(value, Law) else "",
)
def test_a_law_holds_within_its_bounds(law: Law, held: list[Any], broken: list[Any]) -> None:
    assert [law.holds(value) for value in held] == [True] * len(held)
    assert [law.holds(value) for value in broken] == [False] * len(broken)


def test_every_fault_is_told_and_what_nobody_reads_may_hold_anything() -> None:
    config, laws = {"size": 4, "strange": "x", "note": [1]}, {"size": whole(1, 3)}
    size, strange = (
        "`size` must be a whole number from 1 to 3, but got 4",
        "`strange` may not stand there, but holds 'x'",
    )
    assert config_faults(config, laws, ignored=("note",)) == [size, strange]
    assert config_faults(config, laws) == [size, strange, "`note` may not stand there, but holds [1]"]
    assert config_faults(config, laws, ignored=None) == [size]
    assert config_faults({"a": 10**5000}, {"a": FLAG}) == [
        "`a` must be true or false, but got a number of thousands of digits"
    ]
