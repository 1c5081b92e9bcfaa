"""Small pictures: in their proportions, and untouched where they are small."""

import numpy as np

from nas.drawing.thumbnails import thumbnails


def test_large_pictures_fit_and_small_ones_stay() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 30, 90, 3), dtype=np.uint8)
    assert thumbnails(pictures, max_px=45).shape == (2, 15, 45, 3)
    assert thumbnails(pictures, max_px=90) is pictures
    plain = np.full((1, 300, 2, 3), 7, dtype=np.uint8)
    assert (thumbnails(plain, max_px=10) == 7).all()
    assert thumbnails(plain, max_px=10).shape == (1, 10, 1, 3)
