"""The house as it is built: rooms, modules per room, floors and arrows, read from the imports themselves.

    python -m tests.house docs/rooms.png      prints the table of docs/architecture.md and draws the picture beside it

A room is a package directly below `search_spaces`, `latency` or `nas`, or a module there. Its floor is one above the
highest room that it imports from.
"""

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import grimp

PACKAGES: Final = ("search_spaces", "latency", "nas")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A room.

    Attributes:
        name: Such as "nas.scores".
        num_modules: Modules in it, its `__init__` aside; those of rooms within it count to them.
        floor: 0 = imports from no room of its package.
        below: Rooms of its package that it imports from.
    """

    name: str
    num_modules: int
    floor: int
    below: frozenset[str]


@cache
def graph() -> grimp.ImportGraph:
    """Imports between all modules, those for types only included."""
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def children(package: str, /) -> list[str]:
    """The rooms of a package."""
    return sorted(graph().find_children(package))


def arrows(package: str, /) -> dict[str, frozenset[str]]:
    """The rooms of the same package that each room imports from."""
    rooms = children(package)
    return {room: frozenset(other for other in rooms if other != room and _imports(room, other)) for room in rooms}


def _imports(room: str, other: str) -> bool:
    """Whether a module of one room imports one of the other directly."""
    modules = {room, *graph().find_descendants(room)}
    others = {other, *graph().find_descendants(other)}
    return any(graph().find_modules_directly_imported_by(module) & others for module in modules)


def rooms_of(package: str, /) -> list[Room]:
    """The rooms of a package, the highest floor first."""
    below, floors = arrows(package), dict[str, int]()
    while len(floors) < len(below):
        ready = [room for room in below if room not in floors and below[room] <= floors.keys()]
        assert ready, f"rooms in a circle: {sorted(below.keys() - floors.keys())}"
        floors |= {room: 1 + max((floors[other] for other in below[room]), default=-1) for room in ready}
    return sorted(
        (Room(name=room, num_modules=num_modules(room), floor=floors[room], below=below[room]) for room in below),
        key=lambda room: (-room.floor, room.name),
    )


def num_modules(room: str, /) -> int:
    """Modules directly in a room, packages within it not counted."""
    return sum(not graph().find_children(module) for module in graph().find_children(room)) or 1


def table() -> str:
    """Rooms by package and floor, as Markdown."""
    lines = ["| package | floor | rooms (modules) |", "|---|---|---|"]
    for package in reversed(PACKAGES):
        rooms = rooms_of(package)
        for floor in sorted({room.floor for room in rooms}, reverse=True):
            names = ", ".join(
                f"{room.name.removeprefix(f'{package}.')} ({room.num_modules})" for room in rooms if room.floor == floor
            )
            lines.append(f"| `{package}` | {floor} | {names} |")
    return "\n".join(lines) + "\n"


def draw(path: Path, /) -> None:
    """Draw the rooms of the three packages, floor over floor, with their imports as lines."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(PACKAGES), figsize=(19, 9.5), width_ratios=[1, 1.1, 1.5])
    for axis, package in zip(axes, reversed(PACKAGES), strict=True):
        rooms, places = rooms_of(package), dict[str, tuple[float, float]]()
        for floor in {room.floor for room in rooms}:
            level = [room for room in rooms if room.floor == floor]
            for index, room in enumerate(level):
                places[room.name] = (index - (len(level) - 1) / 2 + 0.12 * (floor % 2), floor)
        for room in rooms:
            for other in room.below:
                (x, y), (x2, y2) = places[room.name], places[other]
                axis.annotate(
                    "", (x2, y2 + 0.17), (x, y - 0.17), arrowprops={"arrowstyle": "->", "color": "0.65", "lw": 0.7}
                )
        for room in rooms:
            x, y = places[room.name]
            text = f"{room.name.removeprefix(f'{package}.')}\n{room.num_modules}"
            box = {"boxstyle": "round", "fc": "#dcebf7", "ec": "0.4"}
            axis.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
        widest = max(abs(x) for x, _ in places.values()) + 0.7
        axis.set(xlim=(-widest, widest), ylim=(-0.6, max(y for _, y in places.values()) + 0.6), title=package)
        axis.axis("off")
    figure.suptitle("rooms and their modules; arrows are imports, and all of them point down")
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    sys.stdout.write(table())
    if len(sys.argv) > 1:
        draw(Path(sys.argv[1]))
