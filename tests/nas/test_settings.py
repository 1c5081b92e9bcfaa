"""Settings as values: they are checked however they are made, travel, and are plain values when asked."""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, field, replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from nas.settings import MAX_PROBLEMS, SettingsError, plain, read, settings


@settings
class Inner:
    """A section."""

    num: Annotated[int, Field(ge=1)] = 3
    names: frozenset[str] = frozenset()


@settings
class Outer:
    """A file."""

    path: Path
    inner: Inner = Inner()
    many: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1,)


@settings
class Holder:
    """A file with sections by name, in a row, and one that may be left out."""

    by_name: Mapping[str, Inner] = field(default_factory=dict)
    in_a_row: tuple[Inner, ...] = ()
    perhaps: Inner | None = None


@settings
class Derived(Inner):
    """A section with more in it."""

    more: Annotated[float, Field(lt=1)] = 0.5


def test_they_are_frozen_equal_and_hashable() -> None:
    one = Outer(path=Path("a"), inner=Inner(num=2))
    assert one == Outer(path=Path("a"), inner=Inner(num=2)) != Outer(path=Path("a"))
    assert len({one, Outer(path=Path("a"), inner=Inner(num=2))}) == 1
    assert not hasattr(one, "__dict__")
    with pytest.raises(FrozenInstanceError):
        one.path = Path("b")  # type: ignore[misc]


def test_they_travel() -> None:
    one = Outer(path=Path("a"), inner=Inner(names=frozenset({"x"})))
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one


def test_a_change_is_checked_too() -> None:
    assert replace(Inner(), num=7) == Inner(num=7)
    with pytest.raises(
        SettingsError, match="Inner has 1 problem:\n  num: must be greater than or equal to 1, but got 0"
    ):
        replace(Inner(), num=0)


def test_a_list_of_wrong_items_is_not_called_short() -> None:
    with pytest.raises(
        SettingsError, match=r"has 1 problem:\n  many\.0: must be greater than or equal to 1, but got 0$"
    ):
        Outer(path=Path(), many=(0,))
    with pytest.raises(SettingsError, match=r"has 1 problem:\n  many: must have at least 1 item"):
        Outer(path=Path(), many=())


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Outer(inner=3, many=["1"], strange=None)  # type: ignore[arg-type, call-arg]
    assert str(error.value).splitlines() == [
        "Outer has 4 problems:",
        "  path: must be given, but is missing",
        "  inner: must be an instance of Inner, but got 3",
        "  many: must be a valid tuple, but got ['1']",
        "  strange: there is no such setting; choose among path, inner, many",
    ]


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"by_name": {"num": {"strange": 1}}}, "by_name.num.strange"),
        ({"by_name": {"any.name": {"strange": 1}}}, "by_name.any.name.strange"),
        ({"in_a_row": [{}, {"strange": 1}]}, "in_a_row.1.strange"),
        ({"perhaps": {"strange": 1}}, "perhaps.strange"),
    ],
)
def test_a_stranger_in_any_section_is_told_what_is_known_there(values: dict[str, Any], place: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(Holder, values, name="a file")
    assert str(error.value).splitlines()[1:] == [f"  {place}: there is no such setting; choose among num, names"]


def test_settings_can_have_heirs() -> None:
    assert replace(Derived(num=4), more=0.25) == Derived(num=4, more=0.25)
    with pytest.raises(SettingsError, match=r"Derived has 2 problems:\n  num: .*\n  more: must be less than 1"):
        Derived(num=0, more=1.0)


def test_plain_values_are_read_back() -> None:
    one = Outer(path=Path("/a"), inner=Inner(names=frozenset({"b", "a", "c"})), many=(1, 2))
    assert plain(one) == {"path": "/a", "inner": {"num": 3, "names": ["a", "b", "c"]}, "many": [1, 2]}
    assert read(Outer, plain(one), name="a file") == one


def test_a_flood_of_problems_stays_readable() -> None:
    with pytest.raises(SettingsError) as error:
        read(Outer, {"path": "x" * 10**6, "many": ["x" * 10**4] * 1000, "inner": {"num": "y" * 10**6}}, name="a file")
    head, *lines = str(error.value).splitlines()
    assert head == "a file has 1001 problems:"
    assert len(lines) == MAX_PROBLEMS + 1
    assert lines[-1] == f"  and {1001 - MAX_PROBLEMS} more"
    assert max(map(len, lines)) < 200
