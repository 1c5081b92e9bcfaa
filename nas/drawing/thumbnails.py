"""Pictures made small, for many to be kept."""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

MAX_PX: Final = 256


def thumbnails(pictures: npt.NDArray[np.uint8], /, *, max_px: int = MAX_PX) -> npt.NDArray[np.uint8]:
    """Pictures that fit into a square, in their own proportions; those that do already are left as they are.

    Args:
        pictures: uint8 (n, h, w, 3).
        max_px: Side of the square.

    Returns:
        uint8 (n, h, w, 3).
    """
    height, width = pictures.shape[1:3]
    scale = max_px / max(height, width)
    if scale >= 1:
        return pictures
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    return np.stack([np.asarray(Image.fromarray(each).resize(size, Image.Resampling.LANCZOS)) for each in pictures])
