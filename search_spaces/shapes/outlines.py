"""The things that the small model draws, as signed distances: each a few parts, in a frame of radius 1 with y down.

A part is (distance, tone): negative inside, in units of the radius; tone 0 = the thing's own colour and texture, 1 = a
darker shade of it, for doors, eyes and trunks.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Parts = list[tuple[Field, int]]

MAIN, DARK = 0, 1


def _disc(x: Field, y: Field, cx: float, cy: float, r: float) -> Field:
    distance: Field = np.hypot(x - cx, y - cy) - r
    return distance


def _box(x: Field, y: Field, left: float, top: float, right: float, bottom: float) -> Field:
    across = np.abs(x - (left + right) / 2) - (right - left) / 2
    down = np.abs(y - (top + bottom) / 2) - (bottom - top) / 2
    distance: Field = np.maximum(across, down)
    return distance


def _polygon(x: Field, y: Field, corners: Sequence[tuple[float, float]]) -> Field:
    """Distance to a simple polygon, by its edges and the number of crossings."""
    nearest = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        ex, ey = bx - ax, by - ay
        px, py = x - ax, y - ay
        along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0.0, 1.0)
        nearest = np.minimum(nearest, (px - along * ex) ** 2 + (py - along * ey) ** 2)
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ex * (y - ay) / ey + ax)
    distance: Field = np.sqrt(nearest) * np.where(inside, -1.0, 1.0).astype(np.float32)
    return distance


def _around(num: int, *radii: float) -> list[tuple[float, float]]:
    """Corners on circles that take turns, the first at the top."""
    total = num * len(radii)
    angles = 2 * np.pi * np.arange(total) / total
    return [
        (float(radii[i % len(radii)] * np.sin(a)), float(-radii[i % len(radii)] * np.cos(a)))
        for i, a in enumerate(angles)
    ]


def _circle(x: Field, y: Field) -> Parts:
    return [(_disc(x, y, 0, 0, 0.9), MAIN)]


def _square(x: Field, y: Field) -> Parts:
    return [(_box(x, y, -0.78, -0.78, 0.78, 0.78), MAIN)]


def _triangle(x: Field, y: Field) -> Parts:
    return [(_polygon(x, y, [(0, -0.95), (0.95, 0.7), (-0.95, 0.7)]), MAIN)]


def _ring(x: Field, y: Field) -> Parts:
    return [(np.abs(np.hypot(x, y) - 0.68) - 0.24, MAIN)]


def _star(x: Field, y: Field) -> Parts:
    return [(_polygon(x, y, _around(5, 1.0, 0.42)), MAIN)]


def _heart(x: Field, y: Field) -> Parts:
    lobes = np.minimum(_disc(x, y, -0.42, -0.32, 0.5), _disc(x, y, 0.42, -0.32, 0.5))
    return [(np.minimum(lobes, _polygon(x, y, [(-0.86, -0.08), (0, -0.4), (0.86, -0.08), (0, 0.95)])), MAIN)]


def _house(x: Field, y: Field) -> Parts:
    roof = _polygon(x, y, [(0, -0.95), (0.95, 0.0), (-0.95, 0.0)])
    return [
        (_box(x, y, -0.66, -0.05, 0.66, 0.85), MAIN),
        (roof, DARK),
        (_box(x, y, -0.17, 0.25, 0.2, 0.85), DARK),
    ]


def _tree(x: Field, y: Field) -> Parts:
    crown = np.minimum(
        _polygon(x, y, [(0, -1.0), (0.55, -0.2), (-0.55, -0.2)]), _polygon(x, y, [(0, -0.55), (0.8, 0.5), (-0.8, 0.5)])
    )
    return [(_box(x, y, -0.16, 0.4, 0.16, 0.95), DARK), (crown, MAIN)]


def _fish(x: Field, y: Field) -> Parts:
    body = (np.hypot((x + 0.2) / 0.72, y / 0.46) - 1) * 0.46
    tail = _polygon(x, y, [(0.3, 0.0), (0.95, -0.5), (0.8, 0.0), (0.95, 0.5)])
    return [(np.minimum(body, tail), MAIN), (_disc(x, y, -0.55, -0.1, 0.11), DARK)]


def _flower(x: Field, y: Field) -> Parts:
    petals = [_disc(x, y, px, py, 0.36) for px, py in _around(5, 0.55)]
    return [(np.minimum.reduce(petals), MAIN), (_disc(x, y, 0, 0, 0.3), DARK)]


def _moon(x: Field, y: Field) -> Parts:
    return [(np.maximum(_disc(x, y, 0, 0, 0.92), -_disc(x, y, 0.42, -0.12, 0.74)), MAIN)]


def _cup(x: Field, y: Field) -> Parts:
    body = _polygon(x, y, [(-0.75, -0.65), (0.45, -0.65), (0.28, 0.75), (-0.58, 0.75)])
    handle = np.abs(np.hypot(x - 0.5, y + 0.05) - 0.36) - 0.1
    return [(np.minimum(body, handle), MAIN), (_box(x, y, -0.62, -0.65, 0.32, -0.5), DARK)]


def _face(x: Field, y: Field) -> Parts:
    mouth = np.maximum(np.abs(np.hypot(x, y - 0.02) - 0.52) - 0.09, 0.22 - y)
    eyes = np.minimum(_disc(x, y, -0.33, -0.22, 0.15), _disc(x, y, 0.33, -0.22, 0.15))
    return [(_disc(x, y, 0, 0, 0.95), MAIN), (np.minimum(mouth, eyes), DARK)]


OUTLINES: Final[dict[str, Callable[[Field, Field], Parts]]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "ring": _ring,
    "star": _star,
    "heart": _heart,
    "house": _house,
    "tree": _tree,
    "fish": _fish,
    "flower": _flower,
    "moon": _moon,
    "cup": _cup,
    "face": _face,
}
