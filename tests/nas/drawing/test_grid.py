"""Grids of pictures with captions."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.drawing.grid import CAPTION_PX, GAP_PX, TILE_PX, grid, write_grid

PICTURES = np.stack([np.full((48, 48, 3), colour, np.uint8) for colour in (10, 120, 250)])


def test_pictures_stand_in_rows_with_room_for_captions(tmp_path: Path) -> None:
    path = tmp_path / "images" / "grid.png"
    write_grid(path, PICTURES, captions=["dark", "gray", "light"], num_columns=2)
    with Image.open(path) as image:
        assert image.size == (2 * (TILE_PX + GAP_PX) + GAP_PX, 2 * (TILE_PX + CAPTION_PX + GAP_PX) + GAP_PX)
        assert image.getpixel((GAP_PX + 20, GAP_PX + 20)) == (10, 10, 10)
        assert image.getpixel((2 * GAP_PX + TILE_PX + 20, GAP_PX + 20)) == (120, 120, 120)
    assert [file.name for file in path.parent.iterdir()] == ["grid.png"]


def test_a_caption_per_picture() -> None:
    with pytest.raises(ValueError, match="one caption per picture, but got 1 for 3"):
        grid(PICTURES, captions=["dark"])
