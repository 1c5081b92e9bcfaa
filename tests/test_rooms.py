"""The rooms that docs/architecture.md shows are those that the imports make: few modules each, no circle."""

from pathlib import Path

import pytest

from tests.house import PACKAGES, rooms_of, table

ROOT = Path(__file__).parents[1]
MAX_MODULES = 12
SPARED = {"latency.importers"}  # one file per profiler's format


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_hold_few_modules_and_import_in_no_circle(package: str) -> None:
    rooms = rooms_of(package)
    assert {room.name: room.num_modules for room in rooms if room.num_modules > MAX_MODULES}.keys() <= SPARED
    floors = {room.name: room.floor for room in rooms}
    assert all(floors[other] < room.floor for room in rooms for other in room.below)


def test_the_architecture_page_shows_the_house_as_it_is() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert table() in page, "run `python -m tests.house docs/rooms.png` and put its table into docs/architecture.md"
