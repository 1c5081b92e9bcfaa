"""Image files as a model of pictures sees them: upright, in eight bits, on white, cut to its shape.

| on disk | what is read |
|---|---|
| an EXIF orientation | the picture as viewers show it |
| 16 bits of grey | scaled to 8 bits |
| alpha, or a transparent colour | composited over white |
| CMYK, grey, a palette | its colours |
| another shape | the short side resized (Lanczos), the middle cut out |
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from nas.training.metadata import CaptionedPicture
from search_spaces.files.rows import Problems
from search_spaces.files.strict_text import check_regular
from search_spaces.files.user_error import UserError

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # what Pillow reads itself; others run programs
MAX_PX: Final = 2**27  # 134 million, twice the largest cameras; a bomb of a few kilobytes unpacks to more


class PictureError(UserError):
    """A file that is no picture, or none that can be shown to a model; the message begins with "must"."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CroppedPicture:
    """A picture in a model's shape.

    Attributes:
        pixels: uint8 (height, width, 3).
        top_left_px: Where it was cut out of the resized picture, from above and from the left.
    """

    pixels: npt.NDArray[np.uint8]
    top_left_px: tuple[int, int]


def read_picture(path: Path, /, *, size_px: tuple[int, int]) -> CroppedPicture:
    """A picture of a height and width; see the table above.

    Raises:
        PictureError: It is none.
    """
    image, (height, width) = _opened(path), size_px
    scale = max(width / image.width, height / image.height)
    covering = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    if image.size != covering:
        image = image.resize(covering, Image.Resampling.LANCZOS)
    left, top = (covering[0] - width) // 2, (covering[1] - height) // 2
    if (left, top) != (0, 0) or covering != (width, height):
        image = image.crop((left, top, left + width, top + height))
    return CroppedPicture(pixels=np.asarray(image), top_left_px=(top, left))


def check_pictures(pictures: Iterable[CaptionedPicture], /, *, metadata: Path) -> None:
    """Check that every picture of a set can be read, by decoding it.

    Args:
        pictures: Of the set.
        metadata: The file that names them.

    Raises:
        RowsError: Some cannot; the message names all of them with their lines.
    """
    problems = Problems(metadata)
    for picture in pictures:
        try:
            _opened(picture.path)
        except PictureError as error:
            problems.add(picture.line, f"names {picture.path.relative_to(metadata.parent).as_posix()}, which {error}")
    problems.check()


def _opened(path: Path) -> Image.Image:
    """A whole picture in RGB, upright."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of odd metadata; size is checked below
            check_regular(path)
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PX:
                    raise PictureError(f"must have at most {MAX_PX:,} pixels, but has {image.width}x{image.height}")
                image.load()
                return _as_rgb(ImageOps.exif_transpose(image))
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("must fit into memory, but does not") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"must have at most {MAX_PX:,} pixels, but has far more") from error
    except Exception as error:  # decoders raise whatever they like; nothing but this file is read
        raise PictureError(
            f"must be a whole picture in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, but cannot be read "
            f"({_in_short(error, path)})"
        ) from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.float64) / 257).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("I", "F"):
        raise PictureError(f"must have 8 or 16 bits a channel, but has Pillow's mode {image.mode!r} of 32")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    return image.convert("RGB")


def _in_short(error: Exception, path: Path) -> str:
    """What a decoder says, without the path that stands beside it anyway."""
    said = " ".join(str(error).split()).replace(repr(str(path)), "the file")
    return f"{type(error).__name__}: {said[:160]}"
