"""What may be replaced: nothing, an empty file, or one of the kind that is written."""

from pathlib import Path

import pytest
from PIL import Image

from search_spaces.files.durable.places import PlaceError
from search_spaces.files.replacing import check_replaceable, is_picture


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif", "a.pdf", "a.eps"])
def test_pictures_are_told_by_their_first_bytes(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / name)
    assert is_picture(tmp_path / name)
    check_replaceable(tmp_path / name, is_picture, kind="a picture")


@pytest.mark.parametrize("name", ["a.svg", "a.svgz", "a.pdf", "a.png"])
def test_figures_are_pictures(tmp_path: Path, name: str) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.savefig(tmp_path / name)
    assert is_picture(tmp_path / name)


def test_another_file_stays_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "thesis.png"
    path.write_text("thesis")
    with pytest.raises(
        PlaceError, match=r"thesis\.png is to become a picture, but a file that is none stands there; give"
    ):
        check_replaceable(path, is_picture, kind="a picture")
    assert path.read_text() == "thesis"
    path.write_text("")
    check_replaceable(path, is_picture, kind="a picture")
    check_replaceable(tmp_path / "new.png", is_picture, kind="a picture")
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.png"]
