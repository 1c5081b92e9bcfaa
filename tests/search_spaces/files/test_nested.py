"""Differences of nested values by dotted name."""

from search_spaces.files.nested import Absent, differences

OLD = {"a": 1, "b": {"c": 2, "d": {"e": 3}}, "gone": None}
NEW = {"a": 1, "b": {"c": 4, "d": {"e": 5}}, "new": {"f": 6}}


def test_every_value_that_differs_has_a_dotted_name() -> None:
    assert differences(OLD, NEW) == {
        "b.c": (2, 4),
        "b.d.e": (3, 5),
        "gone": (None, Absent.ABSENT),
        "new.f": (Absent.ABSENT, 6),
    }
    assert differences(OLD, OLD) == {}


def test_below_a_depth_values_are_compared_whole() -> None:
    assert differences(OLD, NEW, depth=2)["b.d"] == ({"e": 3}, {"e": 5})
    assert differences(OLD, NEW, depth=1)["b"] == (OLD["b"], NEW["b"])
