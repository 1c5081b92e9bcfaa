"""Paths as people write them."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.files.paths import PathError, file_name, is_there, local_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What is no pathlib path and yet has a place."""

    place: str

    def __fspath__(self) -> str:
        return self.place


def test_text_and_objects_with_a_place_are_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/runs", Path("~/runs"), Elsewhere(place="~/runs")):
        assert local_path(path) == tmp_path / "runs"
    assert not (tmp_path / "runs").exists()
    assert local_path("runs/~odd") == Path("runs/~odd"), "only at the head"


def test_a_home_of_nobody_is_named() -> None:
    with pytest.raises(PathError, match=r"~nobody-of-that-name must be somebody's home, but there is none .*write"):
        local_path("~nobody-of-that-name/runs")


@given(text=st.text())
def test_a_name_made_of_data_is_one_name_in_its_folder(text: str) -> None:
    name = file_name(text)
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert 1 <= len(name.encode()) <= 200
    assert file_name(name) == name


def test_names_of_exports_stay_and_what_leads_elsewhere_does_not() -> None:
    assert file_name("shapes_cpu_lat@12.3ms_clip@0.84") == "shapes_cpu_lat@12.3ms_clip@0.84"
    assert file_name("../../../etc/x") == "_.._.._etc_x"
    assert file_name("/abs") == "_abs"
    assert [file_name(text) for text in ("", ".", "..", "--")] == ["unnamed"] * 4


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_what_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(PathError, match=r"NUL|surrogate"):
        local_path(path)


def test_an_empty_path_is_not_the_working_folder() -> None:
    with pytest.raises(PathError, match=r"a path must not be empty; for the working folder say `\.`"):
        local_path("")
    assert local_path(".") == Path()


def test_where_no_file_can_be_none_is_there(tmp_path: Path) -> None:
    assert is_there(tmp_path)
    assert not is_there(tmp_path / "gone")
    assert is_there(tmp_path / ("x" * 5000)) is False
    assert not is_there(tmp_path / "x\0")
