"""Whatever writes a file or a folder for a user, killed or out of disk at any step: the old or the new stands whole."""

import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from latency import write_table
from latency.figures.canvas import new_figure, write_figure
from nas.drawing.grid import write_grid
from search_spaces.files.durable.writing import sweep_beside
from search_spaces.shapes.__main__ import write_pictures
from tests.nas.synthetic import small_space, synthetic_table
from tests.warm import exit_code

OUT_OF_DISK, DONE = 7, 0
MOST_STEPS = 60
TABLE = synthetic_table(small_space(max_copies=0))
STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")


def write_a_table(place: Path, version: int) -> None:
    """What measuring, importing and calibrating end with."""
    write_table(TABLE, place, allow_mismatch=bool(version))


def write_drawn_pictures(place: Path, version: int) -> None:
    """What generating ends with."""
    write_grid(place, np.full((1, 8, 8, 3), version, np.uint8), captions=["a ring"])


def write_a_figure(place: Path, version: int) -> None:
    """What a plot ends with."""
    figure = new_figure(width=1, height=1 + version)
    figure.set_layout_engine(None)
    write_figure(figure, place)


def write_shapes(place: Path, version: int) -> None:
    write_pictures(place, num=1 + version, seed=0)


WRITERS: dict[Callable[[Path, int], None], str] = {
    write_a_table: "table.json",
    write_drawn_pictures: "pictures.png",
    write_a_figure: "figure.svg",
    write_shapes: "pictures",
}


class Stop:
    """What a process of its own does at the n-th step of a writer at or beside a place: it dies, or has no disk."""

    def __init__(self, place: Path, how: str, step: int) -> None:
        self._name, self._how, self.left = place.name, how, step

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS or (event == "open" and self._name in str(arguments[0])):
            self.left -= 1
            if self.left == 0:
                if self._how == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(28, "No space left on device")


def stopped_everywhere(write: Callable[[Path, int], None], folder: Path, how: str) -> None:
    """The writer, stopped at each of its steps in turn until none is left, each in a process that is forked from this.

    Into `folder` go a copy of its `0` for each, in which it was stopped, and `codes.json`: how each process ended.
    """
    codes = list[int]()
    while DONE not in codes and len(codes) < MOST_STEPS:
        step = len(codes) + 1
        shutil.copytree(folder / "0", folder / f"step{step}")
        if (process := os.fork()) == 0:
            stopped(write, folder / f"step{step}" / WRITERS[write], how, step)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    (folder / "codes.json").write_text(json.dumps(codes), encoding="utf-8")


def stopped(write: Callable[[Path, int], None], place: Path, how: str, step: int) -> NoReturn:
    """The writer, stopped at its n-th step; this process ends with it."""
    stop = Stop(place, how, step)
    sys.addaudithook(stop)
    try:
        write(place, 1)
    except OSError:
        os._exit(OUT_OF_DISK)
    os._exit(DONE if stop.left > 0 else OUT_OF_DISK)


def content(place: Path) -> dict[str, bytes]:
    files = [place] if place.is_file() else place.iterdir()
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("how", ["kill", "refuse"])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_stopped_at_any_step_the_old_or_the_new_stands(
    write: Callable[[Path, int], None], how: str, tmp_path: Path
) -> None:
    name = WRITERS[write]
    for version in (0, 1):
        write(tmp_path / str(version) / name, version)
    before, new = (content(tmp_path / str(version) / name) for version in (0, 1))
    assert before
    assert exit_code(stopped_everywhere, write, tmp_path, how) == 0
    codes, seen = json.loads((tmp_path / "codes.json").read_text(encoding="utf-8")), set()
    for step in range(1, len(codes) + 1):
        place = tmp_path / f"step{step}" / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sweep_beside(place)
        after = content(place)
        assert after == before or set(after) == set(new), step
        assert [path.name for path in place.parent.iterdir()] == [name], step
        seen.add(after == before)
    assert codes[-1] == DONE
    assert set(codes[:-1]) == {-signal.SIGKILL if how == "kill" else OUT_OF_DISK}
    assert True in seen
