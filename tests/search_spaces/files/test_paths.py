"""Paths as people write them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from search_spaces.files.paths import PathError, local_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What is no pathlib path and yet has a place."""

    place: str

    def __fspath__(self) -> str:
        return self.place


def test_text_and_objects_with_a_place_are_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in ("~/runs", Path("~/runs"), Elsewhere(place="~/runs")):
        assert local_path(given) == tmp_path / "runs"
    assert not (tmp_path / "runs").exists()
    assert local_path("runs/~odd") == Path("runs/~odd"), "only at the head"


def test_a_home_of_nobody_is_named() -> None:
    with pytest.raises(PathError, match=r"~nobody-of-that-name must be somebody's home, but there is none .*write"):
        local_path("~nobody-of-that-name/runs")
