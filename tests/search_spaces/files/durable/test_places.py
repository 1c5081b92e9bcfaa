"""Where something may stand: what must not be replaced is refused before anything is written."""

import os
from pathlib import Path

import pytest

from search_spaces.files.durable.places import PlaceError, settled_file
from search_spaces.files.durable.writing import whole
from tests.search_spaces.files.durable.listing import names


def test_what_cannot_be_replaced_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path / "folder" / "inner")
    before = names(tmp_path)
    for place, law in [
        (Path("/dev/null"), "is a device, a pipe or a socket"),
        (tmp_path / "pipe", "is a device, a pipe or a socket"),
        (tmp_path / "link", r"is a link to .*folder, where no file is; give the place itself"),
        (tmp_path / "dangling", "is a link to"),
        (Path("new/.."), "must not be the working folder or hold it"),
        (Path(), "must not be the working folder or hold it"),
        (tmp_path / "folder", "must not be the working folder or hold it"),
        (Path("/"), "must not be the working folder or hold it"),
    ]:
        with pytest.raises(PlaceError, match=law), whole(place, check=lambda old: None):
            pytest.fail("there is nothing to write")
    assert names(tmp_path) == before
    assert names(Path()) == []


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(PlaceError, match=r"new must lie in a folder, but .*/file is none"):
        settled_file(tmp_path / "file" / "deep" / "new")
    with pytest.raises(PlaceError, match="a folder stands there"):
        settled_file(tmp_path)
