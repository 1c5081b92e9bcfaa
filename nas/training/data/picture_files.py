"""Image files as a model of pictures sees them: upright, in eight bits, on white, cut to its shape.

| on disk | what is read |
|---|---|
| an EXIF orientation | the picture as viewers show it |
| 12 or 16 bits of grey | scaled to 8 bits; black and white as a TIFF says |
| alpha, or a transparent colour | composited over white |
| CMYK, grey, a palette | its colours |
| several pictures, as an animation has | the first |
| another shape | the short side resized (Lanczos), the middle cut out, or another part that the caller chooses |
"""

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from search_spaces.files.strict_text import check_regular
from search_spaces.files.user_error import UserError

FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # what Pillow reads itself; others run programs
MAX_PX: Final = 2**27  # 134 million, twice the largest cameras; a bomb of a few kilobytes unpacks to more
MAX_BYTES: Final = 2**29  # of a picture within another file: 134 million pixels of four bytes
MIDDLE: Final = (0.5, 0.5)


class PictureError(UserError):
    """A file that is no picture, or none that can be shown to a model; the message begins with "must"."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """Some bytes of a file, such as a member of a tar.

    Attributes:
        path: The file.
        start: Where they begin.
        num_bytes: How many there are.
    """

    path: Path
    start: int
    num_bytes: int

    def read(self) -> bytes:
        """The bytes.

        Raises:
            OSError: The file is gone.
        """
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read(self.num_bytes)


Picture: TypeAlias = Path | FilePart | bytes  # where a picture's bytes are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CroppedPicture:
    """A picture in a model's shape.

    Attributes:
        pixels: uint8 (height, width, 3).
        top_left_px: Where it was cut out of the resized picture, from above and from the left.
    """

    pixels: npt.NDArray[np.uint8]
    top_left_px: tuple[int, int]


def read_picture(
    picture: Picture, /, *, size_px: tuple[int, int], place: tuple[float, float] = MIDDLE
) -> CroppedPicture:
    """A picture of a height and width; see the table above.

    Args:
        picture: Where it is.
        size_px: Height and width.
        place: Where it is cut out, from above and from the left, as shares of what is left over.

    Raises:
        PictureError: It is none.
    """
    with _quiet():
        return _read(picture, size_px, place)


def read_pictures(
    pictures: Sequence[Picture],
    /,
    *,
    size_px: tuple[int, int],
    places: Sequence[tuple[float, float]] | None = None,
    threads: ThreadPoolExecutor | None = None,
) -> list[CroppedPicture | PictureError]:
    """The same of many, decoded beside each other; what is no picture is said in its place.

    Args:
        pictures: Where they are.
        size_px: Height and width of all.
        places: Where each is cut out; None = the middle.
        threads: Decode them; None = this one.
    """
    where = [MIDDLE] * len(pictures) if places is None else places

    def read(picture: Picture, place: tuple[float, float]) -> CroppedPicture | PictureError:
        try:
            return _read(picture, size_px, place)
        except PictureError as error:
            return error

    with _quiet():  # here, once: what is filtered is filtered for all threads
        return list((map if threads is None else threads.map)(read, pictures, where))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings, of odd metadata; sizes are checked in any case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(picture: Picture, size_px: tuple[int, int], place: tuple[float, float]) -> CroppedPicture:
    image, (height, width) = _opened(picture), size_px
    scale = max(width / image.width, height / image.height)
    covering = (max(width, round(image.width * scale)), max(height, round(image.height * scale)))
    left, top = int((covering[0] - width) * place[1]), int((covering[1] - height) * place[0])
    if covering[0] * covering[1] > MAX_PX:  # of a thin picture no more than what is cut out fits into memory
        across, down = image.width / covering[0], image.height / covering[1]
        part = (left * across, top * down, (left + width) * across, (top + height) * down)
        image = image.resize((width, height), Image.Resampling.LANCZOS, box=part)
        return CroppedPicture(pixels=np.asarray(image), top_left_px=(top, left))
    if image.size != covering:
        image = image.resize(covering, Image.Resampling.LANCZOS)
    if (left, top) != (0, 0) or covering != (width, height):
        image = image.crop((left, top, left + width, top + height))
    return CroppedPicture(pixels=np.asarray(image), top_left_px=(top, left))


def _opened(picture: Picture) -> Image.Image:
    """A whole picture in RGB, upright."""
    try:
        with Image.open(_file(picture), formats=FORMATS) as image:
            if image.width * image.height > MAX_PX:
                raise PictureError(f"must have at most {MAX_PX:,} pixels, but has {image.width}x{image.height}")
            coding = _Coding.of(image)
            image.load()
            return _as_rgb(ImageOps.exif_transpose(image), coding)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError("must fit into memory, but does not") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"must have at most {MAX_PX:,} pixels, but has far more") from error
    except Exception as error:  # decoders raise whatever they like; nothing but this file is read
        raise PictureError(
            f"must be a whole picture in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, but cannot be read "
            f"({_in_short(error, picture)})"
        ) from error


def _file(picture: Picture) -> Path | io.BytesIO:
    """What Pillow opens."""
    match picture:
        case Path():
            check_regular(picture)
            return picture
        case FilePart():
            if picture.num_bytes > MAX_BYTES:
                raise PictureError(f"must have at most {MAX_BYTES:,} bytes, but has {picture.num_bytes:,}")
            return io.BytesIO(picture.read())
        case bytes():
            return io.BytesIO(picture)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coding:
    """What a file says of its numbers that Pillow leaves out of the picture.

    Attributes:
        white_is_zero: Whether grey of more than 8 bits is stored as its negative.
        bits: Of a number of such grey.
        transparent: What a PNG does not show, in the numbers of Pillow's picture; None = nothing is said.
    """

    white_is_zero: bool = False
    bits: int = 16
    transparent: int | tuple[int, ...] | bytes | None = None

    @classmethod
    def of(cls, image: Image.Image, /) -> "_Coding":
        """Of a file that is open, but not yet loaded.

        Raises:
            PictureError: Pillow cannot tell what is transparent.
        """
        if isinstance(image, TiffImageFile):
            tags = image.tag_v2
            return cls(
                white_is_zero=tags.get(PHOTOMETRIC_INTERPRETATION, 0) == 0, bits=tags.get(BITSPERSAMPLE, (16,))[0]
            )
        if not isinstance(image, PngImageFile):
            return cls()
        rawmode, transparent = str(image.tile[0][3]) if image.tile else "", image.info.get("transparency")
        if transparent is not None and rawmode == "RGB;16B":  # of which Pillow keeps 8
            raise PictureError(
                "must have 8 bits a channel where one colour is transparent, but has 16; save it with an alpha channel"
            )
        if isinstance(transparent, int):  # of 2 and 4 bits, as stored, while the picture is scaled to 8
            transparent *= {"L;2": 85, "L;4": 17}.get(rawmode, 1)
        return cls(transparent=transparent)


def _as_rgb(image: Image.Image, coding: _Coding) -> Image.Image:
    if image.mode.startswith("I;16"):
        stored = np.asarray(image)
        most = 2**coding.bits - 1
        grey = (stored.astype(np.float64) / most * 255).round().astype(np.uint8)
        if coding.white_is_zero:
            grey = 255 - grey
        if coding.transparent is not None:
            grey[stored == coding.transparent] = 255
        return Image.fromarray(grey).convert("RGB")
    if coding.transparent is not None:
        image.info["transparency"] = coding.transparent
    if image.mode in ("I", "F"):
        raise PictureError(f"must have 8 or 16 bits a channel, but has Pillow's mode {image.mode!r} of 32")
    if image.has_transparency_data:
        shown = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    return image.convert("RGB")


def _in_short(error: Exception, picture: Picture) -> str:
    """What a decoder says, without the path that stands beside it anyway."""
    said = re.sub(r"<_io\.BytesIO object at 0x[0-9a-f]+>", "the file", " ".join(str(error).split()))
    if isinstance(picture, Path):
        said = said.replace(repr(str(picture)), "the file")
    return f"{type(error).__name__}: {said[:160]}"
