"""Scenes to pictures: anti-aliased signed distances in numpy, with a little jitter from a seeded generator."""

from typing import Final

import numpy as np
import numpy.typing as npt

from search_spaces.shapes.scenes import Item, Scene

PICTURE_PX: Final = 48
RGB: Final = {
    "red": (0.86, 0.12, 0.12),
    "green": (0.10, 0.62, 0.20),
    "blue": (0.12, 0.25, 0.86),
    "yellow": (0.96, 0.84, 0.10),
    "purple": (0.52, 0.16, 0.66),
    "orange": (0.97, 0.52, 0.08),
    "white": (1.0, 1.0, 1.0),
    "black": (0.04, 0.04, 0.04),
    "gray": (0.55, 0.55, 0.55),
    "pink": (1.0, 0.74, 0.80),
}
RADIUS: Final = {"small": 0.13, "medium": 0.21, "large": 0.31}
RADIUS_OF_TWO: Final = 0.18
PLACE_CENTRE: Final = {
    "centre": (0.5, 0.5),
    "top": (0.5, 0.22),
    "bottom": (0.5, 0.78),
    "left": (0.22, 0.5),
    "right": (0.78, 0.5),
}
RELATION_OFFSET: Final = {"above": (0.0, -0.25), "below": (0.0, 0.25), "left of": (-0.25, 0.0), "right of": (0.25, 0.0)}
POSITION_JITTER: Final = 0.025
RADIUS_JITTER: Final = 0.06

Picture = npt.NDArray[np.uint8]
_Field = npt.NDArray[np.floating]


def _distance(shape: str, x: _Field, y: _Field, r: float) -> _Field:
    """Signed distance (in picture widths, negative inside) of points relative to the shape's centre, y downwards."""
    if shape == "circle":
        return np.hypot(x, y) - r
    if shape == "square":
        return np.maximum(np.abs(x), np.abs(y)) - 0.86 * r
    if shape == "triangle":
        below = y - 0.25 * r
        sides: _Field = np.maximum(0.866 * np.abs(x) - 0.5 * below, below)
        return sides - 0.58 * r
    if shape == "cross":
        a = np.maximum(np.abs(x) - r, np.abs(y) - 0.32 * r)
        b = np.maximum(np.abs(x) - 0.32 * r, np.abs(y) - r)
        return np.minimum(a, b)
    assert shape == "ring", shape
    return np.abs(np.hypot(x, y) - 0.76 * r) - 0.24 * r


def render(scene: Scene, /, *, rng: np.random.Generator, size_px: int = PICTURE_PX) -> Picture:
    """Draw a scene.

    Args:
        scene: What to draw.
        rng: Source of the jitter of place and size; the same generator state gives the same picture.
        size_px: Width and height.

    Returns:
        uint8 array of shape (size_px, size_px, 3).
    """
    axis = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    picture = np.broadcast_to(np.array(RGB[scene.background], np.float32), (size_px, size_px, 3)).copy()
    for item, (cx, cy), radius in _placed(scene):
        r = radius * (1 + RADIUS_JITTER * float(rng.uniform(-1, 1)))
        dx, dy = (float(v) for v in rng.uniform(-POSITION_JITTER, POSITION_JITTER, size=2))
        low, high = r + 0.01, 1 - r - 0.01
        x = axis[None, :] - min(max(cx + dx, low), high)
        y = axis[:, None] - min(max(cy + dy, low), high)
        x, y = np.broadcast_arrays(x, y)
        cover = np.clip(0.5 - _distance(item.shape, x, y, r) * size_px, 0.0, 1.0)[..., None]
        picture += cover * (np.array(RGB[item.colour], np.float32) - picture)
    return np.round(picture * 255).astype(np.uint8)


def _placed(scene: Scene) -> list[tuple[Item, tuple[float, float], float]]:
    if scene.relation is None:
        item = scene.items[0]
        return [(item, PLACE_CENTRE[scene.place], RADIUS[item.size])]
    ox, oy = RELATION_OFFSET[scene.relation]
    first, second = scene.items
    return [(first, (0.5 + ox, 0.5 + oy), RADIUS_OF_TWO), (second, (0.5 - ox, 0.5 - oy), RADIUS_OF_TWO)]
