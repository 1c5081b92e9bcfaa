"""Where the things of a scene stand: what the caption says, and chance for the rest; they never overlap."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from search_spaces.shapes.scenes import AND, Group, Scene

RADIUS: Final = {"small": 0.13, "medium": 0.2, "large": 0.31}
RADIUS_OF: Final = {2: 0.18, 3: 0.155, 4: 0.145}  # by the number of things
RADIUS_JITTER: Final = 0.12
TURN: Final = 0.45  # radians to either side
MARGIN: Final = 0.015
PLACE_CENTRE: Final = {
    "centre": (0.5, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
}
PLACE_JITTER: Final = 0.04
_MIRRORED: Final = ("fish", "moon", "cup")
_TRIES: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A thing at its place; lengths in picture widths, y downwards, the angle in radians."""

    group: Group
    x: float
    y: float
    radius: float
    angle: float
    mirrored: bool


def placed(scene: Scene, /, *, rng: np.random.Generator) -> list[Placed]:
    """The things of a scene, in the order of its groups."""
    groups = [group for group in scene.groups for _ in range(group.count)]
    base = RADIUS[groups[0].size] if len(groups) == 1 else RADIUS_OF[len(groups)]
    radii = [base * (1 + RADIUS_JITTER * float(rng.uniform(-1, 1))) for _ in groups]
    centres = _centres(scene, radii, rng)
    return [
        Placed(
            group=group,
            x=x,
            y=y,
            radius=radius,
            angle=float(rng.uniform(-TURN, TURN)),
            mirrored=group.thing in _MIRRORED and bool(rng.random() < 0.5),
        )
        for group, radius, (x, y) in zip(groups, radii, centres, strict=True)
    ]


def _centres(scene: Scene, radii: list[float], rng: np.random.Generator) -> list[tuple[float, float]]:
    if scene.place != "anywhere":
        x, y = (
            _inside(centre + PLACE_JITTER * float(rng.uniform(-1, 1)), radii[0]) for centre in PLACE_CENTRE[scene.place]
        )
        return [(x, y)]
    for _ in range(_TRIES):
        centres = [(_anywhere(radius, rng), _anywhere(radius, rng)) for radius in radii]
        if _are_apart(centres, radii) and _are_related(scene, centres, radii):
            return centres
    return _rows(scene, radii)


def _anywhere(radius: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(radius + MARGIN, 1 - radius - MARGIN))


def _inside(centre: float, radius: float) -> float:
    return min(max(centre, radius + MARGIN), 1 - radius - MARGIN)


def _are_apart(centres: list[tuple[float, float]], radii: list[float]) -> bool:
    return all(
        np.hypot(ax - bx, ay - by) >= ra + rb
        for i, ((ax, ay), ra) in enumerate(zip(centres, radii, strict=True))
        for (bx, by), rb in zip(centres[:i], radii, strict=False)
    )


def _are_related(scene: Scene, centres: list[tuple[float, float]], radii: list[float]) -> bool:
    """Whether every thing of the first group stands in the relation to every thing of the second."""
    if scene.relation in (None, AND):
        return True
    axis, sign = _direction(scene)
    first, second = centres[: scene.groups[0].count], centres[scene.groups[0].count :]
    gap = 0.8 * (min(radii) + min(radii))
    return all(sign * (a[axis] - b[axis]) >= gap for a in first for b in second)


def _direction(scene: Scene) -> tuple[int, int]:
    """The axis of a relation, and the sign of first minus second along it."""
    return (1 if scene.relation in ("above", "below") else 0), (-1 if scene.relation in ("above", "left of") else 1)


def _rows(scene: Scene, radii: list[float]) -> list[tuple[float, float]]:
    """A row for each group, where chance found no place."""
    axis, sign = (1, -1) if scene.relation in (None, AND) else _direction(scene)
    centres: list[tuple[float, float]] = []
    for which, group in enumerate(scene.groups):
        along = 0.5 if len(scene.groups) == 1 else 0.5 + sign * (0.25 if which == 0 else -0.25)
        for number in range(group.count):
            across = (number + 0.5) / group.count
            x, y = (across, along) if axis == 1 else (along, across)
            centres.append((_inside(x, radii[len(centres)]), _inside(y, radii[len(centres)])))
    return centres
