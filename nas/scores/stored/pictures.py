"""Sealed files of a store, a chunk each: pictures, small pictures to look at, and the scores of 0.1.0."""

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from nas.scores.stored.keys import ScoreStoreWarning
from nas.scores.stored.sealed_table import BrokenSealError, seal, unseal
from search_spaces.files.durable.writing import set_aside, whole_once


def write_sealed(path: Path, table: pa.Table, /) -> None:
    """Write a sealed table unless there is one.

    Raises:
        StorageError: The disk refuses.
    """
    with whole_once(path) as part:
        part.write_bytes(seal(table, name=_name(path)))


def read_sealed(path: Path, /, *, sets_aside: bool = True) -> pa.Table | None:
    """A sealed table; None where there is none, or a damaged one.

    Args:
        path: Of the file.
        sets_aside: Whether a damaged file is moved out of the way.

    Warns:
        ScoreStoreWarning: It is damaged.
    """
    try:
        return unseal(path.read_bytes(), name=_name(path))
    except FileNotFoundError:
        return None
    except BrokenSealError as error:
        then = f"moved to {set_aside(path).name}, to be made again when it is asked for" if sets_aside else "left out"
        warnings.warn(f"{path} is damaged ({error}): {then}", ScoreStoreWarning, stacklevel=4)
        return None


def as_table(pictures: npt.NDArray[np.uint8], /) -> pa.Table:
    """Pictures as PNG in a table, bit for bit."""
    return pa.table({"png": [_png(picture) for picture in pictures]})


def as_pictures(table: pa.Table, /) -> npt.NDArray[np.uint8]:
    """The pictures of a table, uint8 (n, h, w, 3)."""
    return np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in table["png"].to_pylist()])


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
