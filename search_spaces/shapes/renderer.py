"""Scenes to pictures: anti-aliased signed distances in numpy; what a caption leaves open is drawn by a generator."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from search_spaces.shapes.layout import Placed, placed
from search_spaces.shapes.outlines import MAIN, OUTLINES
from search_spaces.shapes.scenes import Scene

PICTURE_PX: Final = 64
RGB: Final = {
    "red": (0.86, 0.12, 0.12),
    "orange": (0.97, 0.52, 0.08),
    "yellow": (0.96, 0.84, 0.10),
    "green": (0.10, 0.62, 0.20),
    "blue": (0.12, 0.25, 0.86),
    "purple": (0.52, 0.16, 0.66),
    "pink": (0.98, 0.52, 0.72),
    "brown": (0.48, 0.28, 0.12),
}
BACKGROUND_RGB: Final = {
    "white": (1.0, 1.0, 1.0),
    "black": (0.06, 0.06, 0.06),
    "gray": (0.58, 0.58, 0.58),
    "blue": (0.66, 0.84, 0.98),
    "green": (0.74, 0.92, 0.70),
    "yellow": (1.0, 0.96, 0.72),
}
SHADE_JITTER: Final = 0.12
DARK_SHARE: Final = 0.45
PALE_SHARE: Final = 0.72  # of white in stripes and dots
PERIOD: Final = 0.56  # of stripes and dots, in radii
DOT_RADIUS: Final = 0.33  # in periods

Picture = npt.NDArray[np.uint8]
_Field = npt.NDArray[np.floating[Any]]


def render(scene: Scene, /, *, rng: np.random.Generator, size_px: int = PICTURE_PX) -> Picture:
    """Draw a scene.

    Args:
        scene: What to draw.
        rng: Source of all that the caption leaves open; the same generator state gives the same picture.
        size_px: Width and height.

    Returns:
        uint8 array of shape (size_px, size_px, 3).
    """
    picture = _background(scene, size_px)
    axis = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px
    for thing in placed(scene, rng=rng):
        _draw(picture, thing, axis, rng)
    return np.round(picture * 255).astype(np.uint8)


def _background(scene: Scene, size_px: int) -> _Field:
    top = np.array(BACKGROUND_RGB[scene.background], np.float32)
    bottom = np.array(BACKGROUND_RGB[scene.fades_to or scene.background], np.float32)
    share = np.linspace(0, 1, size_px, dtype=np.float32)[:, None, None]
    return np.broadcast_to(top + share * (bottom - top), (size_px, size_px, 3)).copy()


def _draw(picture: _Field, thing: Placed, axis: _Field, rng: np.random.Generator) -> None:
    own = np.array(RGB[thing.group.colour], np.float32)
    own = np.clip(own * (1 + SHADE_JITTER * float(rng.uniform(-1, 1))), 0, 1)
    stripes, phase = float(rng.uniform(0, np.pi)), rng.uniform(0, 1, size=2)
    reach = 1.1 * thing.radius
    rows, columns = (
        slice(int(np.searchsorted(axis, centre - reach)), int(np.searchsorted(axis, centre + reach)))
        for centre in (thing.y, thing.x)
    )
    dx, dy = np.meshgrid((axis[columns] - thing.x) / thing.radius, (axis[rows] - thing.y) / thing.radius)
    cos, sin = np.float32(np.cos(thing.angle)), np.float32(np.sin(thing.angle))
    x, y = cos * dx + sin * dy, cos * dy - sin * dx
    if thing.mirrored:
        x = -x
    canvas, pixels = picture[rows, columns], thing.radius * len(axis)
    for distance, tone in OUTLINES[thing.group.thing](x, y):
        cover = np.clip(0.5 - distance * pixels, 0.0, 1.0)[..., None]
        paint = DARK_SHARE * own if tone != MAIN else _textured(own, thing.group.texture, x, y, stripes, phase, pixels)
        canvas += cover * (paint - canvas)


def _textured(
    own: _Field, texture: str, x: _Field, y: _Field, angle: float, phase: npt.NDArray[np.float64], pixels: float
) -> _Field:
    """The colour of every pixel of a thing's own parts."""
    if texture == "plain":
        return own
    pale = own + PALE_SHARE * (1 - own)
    u = (x * np.cos(angle) + y * np.sin(angle)) / PERIOD + phase[0]
    if texture == "striped":
        edge = 0.25 - np.abs(u - np.round(u))
    else:
        v = (y * np.cos(angle) - x * np.sin(angle)) / PERIOD + phase[1]
        edge = DOT_RADIUS - np.hypot(u - np.round(u), v - np.round(v))
    share: _Field = np.clip(0.5 + edge * PERIOD * pixels, 0.0, 1.0)[..., None].astype(np.float32)
    return own + share * (pale - own)
