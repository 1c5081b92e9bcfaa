"""Pictures with their captions in a grid, in the format of the file's suffix."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from search_spaces.files.durable.writing import whole
from search_spaces.files.user_error import UserError

TILE_PX, CAPTION_PX, GAP_PX = 144, 34, 8
FORMATS: Final = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}


def write_grid(
    path: Path, pictures: npt.NDArray[np.uint8], /, *, captions: Sequence[str], num_columns: int = 8, title: str = ""
) -> None:
    """Write pictures in rows with their captions below.

    Args:
        path: File, of the format that its suffix says; its folder is made.
        pictures: uint8 (n, h, w, 3); shown at 144 px width.
        captions: One per picture.
        num_columns: Pictures per row.
        title: A line above all.

    Raises:
        UserError: The suffix says none.
        StorageError: The disk refuses.
    """
    form = picture_format(path)
    image = grid(pictures, captions=captions, num_columns=num_columns, title=title)
    with whole(path) as part:
        image.save(part, format=form, **_OPTIONS.get(form, {}))


def picture_format(path: Path, /) -> str:
    """Pillow's name of the format that a file's suffix says.

    Raises:
        UserError: It says none.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UserError(f"a file of pictures must end in {', '.join(FORMATS)}, but got {path.name!r}; rename it")
    return form


def is_whole(path: Path, /) -> bool:
    """Whether a picture as `write_grid` writes it stands there, to its last row."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow says of damaged files
        return False
    return True


def grid(
    pictures: npt.NDArray[np.uint8], /, *, captions: Sequence[str], num_columns: int = 8, title: str = ""
) -> Image.Image:
    """The same as a picture."""
    if len(pictures) != len(captions):
        raise UserError(f"a grid needs one caption per picture, but got {len(captions)} for {len(pictures)}")
    columns = min(num_columns, len(pictures))
    rows = -(-len(pictures) // columns)
    top = 22 if title else 0
    cell_w, cell_h = TILE_PX + GAP_PX, TILE_PX + CAPTION_PX + GAP_PX
    sheet = Image.new("RGB", (columns * cell_w + GAP_PX, top + rows * cell_h + GAP_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    if title:
        draw.text((GAP_PX, 4), title, fill="black", font=ImageFont.load_default(14))
    for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP_PX + index % columns * cell_w, top + GAP_PX + index // columns * cell_h
        height = round(TILE_PX * picture.shape[0] / picture.shape[1])
        resample = Image.Resampling.NEAREST if picture.shape[1] < TILE_PX else Image.Resampling.LANCZOS
        sheet.paste(Image.fromarray(picture).resize((TILE_PX, height), resample), (x, y))
        draw.rectangle((x - 1, y - 1, x + TILE_PX, y + height), outline="lightgray")
        lines = textwrap.wrap(caption, 26)[:3]
        draw.multiline_text((x, y + height + 2), "\n".join(lines), fill="black", font=font, spacing=0)
    return sheet
