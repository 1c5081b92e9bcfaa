"""Whatever writes for a user, its power cut or out of disk at any step: the old or the new stands whole."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from latency import write_table
from latency.figures.canvas import new_figure, write_figure
from latency.timing.estimator import summarised
from nas.curves.points import Curves, Point
from nas.drawing.grid import write_grid
from nas.launching.directory import TrainingDirectory
from nas.metrics.estimate import Estimate
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.reports.exporting.tables import write_tables
from nas.runs.run import Run
from nas.settings import read
from nas.stages.final import write_final
from nas.stages.outcome import Outcome, write_receipt
from nas.stages.report import write_report
from nas.stages.settings import FinalSettings, PipelineSettings
from nas.stages.times import PARTS, PartTimes
from nas.sweeps.table import write_trials
from nas.sweeps.tune import Trial, table_of
from search_spaces.files.durable.writing import put_copy, sweep
from search_spaces.shapes.__main__ import write_pictures
from tests.folders import write_small_pipeline
from tests.nas.synthetic import small_space, synthetic_table
from tests.warm import exit_code

DONE, ENDLESS = 0, 7
MOST_STEPS = 500
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
TABLES = [synthetic_table(small_space(max_copies=copies)) for copies in (0, 1)]
STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")


def write_a_table(place: Path, version: int) -> None:
    """What measuring, importing and calibrating end with."""
    write_table(TABLES[version], place)


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


def write_curves_of_models(place: Path, version: int) -> None:
    """What evaluating ends with."""
    score = Estimate(value=0.5 + version, low=0.0, high=2.0, num_made=2, num_real=0, without=())
    point = Point(model="tiny", protocol=SamplingProtocol(), num_passes=50, is_baseline=False, numbers={"clip": score})
    Curves(points=(point,), score="clip", higher_is_better=True, features="", left_out=()).write(place)


def write_a_training(place: Path, version: int) -> None:
    """What training and distilling begin and end with, beside the model."""
    folder = TrainingDirectory(place)
    with folder.opened({"seed": 0}, contents={"model": "0"}):
        folder.end({"last_loss": float(version)})


def write_distilled_steps(place: Path, version: int) -> None:
    """What distilling steps ends with: the last stage's folder a second time."""
    stage = place.parents[1] / f"stage-{version}"  # beside the copies of what is written
    stage.mkdir(exist_ok=True)
    for name in ("model_index.json", "README.md"):
        (stage / name).write_text(f"{name} {version}")
    put_copy(stage, place)


def write_a_receipt(place: Path, version: int) -> None:
    """What a stage of a pipeline ends with."""
    write_curves_of_models(place, 0)
    with patch("nas.stages.outcome.time", SimpleNamespace(time=lambda: 5.0)):
        write_receipt(place, folder=place, num_steps=version, what={"kind": "evaluation"}, began=4.0)


def tiny(folder: Path) -> ModelFolder:
    """A model, made once."""
    return ModelFolder(folder / "tiny" if (folder / "tiny").is_dir() else write_small_pipeline(folder / "tiny"))


def write_the_last_folder(place: Path, version: int) -> None:
    """What a pipeline ends with."""
    settings = read(PipelineSettings, {"model": "x", "stages": {"decoder": {}}}, name="x")
    settings = replace(settings, final=FinalSettings(num_steps=1 + version))
    model = tiny(place.parents[1])
    decoder = Outcome(directory=place, folder=model.path, digest="", num_steps=None, seconds=0.0, is_new=False)
    write_final(settings, {"decoder": decoder}, base=model, out=place.parent)


def write_a_pipelines_report(place: Path, version: int) -> None:
    took = PartTimes(
        num_params=dict.fromkeys(PARTS, 10**6), times=dict.fromkeys(PARTS, summarised([1.0 + version])), num_steps=4
    )
    settings = read(PipelineSettings, {"model": "x", "stages": {"decoder": {}}}, name="x")
    place.mkdir(parents=True, exist_ok=True)
    write_report(settings, {}, times={"before": took, "after": took}, base=tiny(place.parents[1]), out=place)


def write_a_sweeps_table(place: Path, version: int) -> None:
    trial = Trial(
        number=0, values={"seed": version}, path=place / "run", objective=0.5, score=0.5, latency_ms=1.0,
        target_met=True, passes=4, hours=0.1,
    )  # fmt: skip
    write_trials(table_of((trial,)), out=place)


def write_frames_of_a_run(place: Path, version: int) -> None:
    """What `nas frames` writes, of two frames."""
    frames = {"rounds": {"round": [version], "ms": [1.0]}, "races": {"race": [0], "ms": [1.0]}}
    run = SimpleNamespace(**{name: partial(pd.DataFrame, columns) for name, columns in frames.items()})
    with patch("nas.reports.exporting.tables.FRAMES", ("rounds", "races")):
        assert len(list(write_tables(cast(Run, run), place, suffix="csv"))) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a writer is stopped: at which of its steps, and whether each file stands by itself and has no date in it."""

    name: str
    every: int = 1
    by_file: bool = False
    dated: bool = False


WRITERS: dict[Callable[[Path, int], None], Writing] = {
    write_a_table: Writing(name="table.json"),
    write_drawn_pictures: Writing(name="pictures.png"),
    write_a_figure: Writing(name="figure.svg", dated=True),
    write_shapes: Writing(name="pictures", every=2),
    write_curves_of_models: Writing(name="curves", by_file=True, every=2),
    write_a_training: Writing(name="training", by_file=True, every=3),
    write_distilled_steps: Writing(name="pipeline"),
    write_a_receipt: Writing(name="evaluation", by_file=True, every=4),
    write_the_last_folder: Writing(name="final", every=9),
    write_a_pipelines_report: Writing(name="report", by_file=True, every=2),
    write_a_sweeps_table: Writing(name="sweep", by_file=True, every=2),
    write_frames_of_a_run: Writing(name="frames", by_file=True, every=2),
}


class PowerCut(BaseException):
    """Nothing reaches the disk any more, so that whatever tidies up on its way out does not either."""


class Stop:
    """What happens at the n-th step of a writer at or beside a place: the power is cut, or the disk refuses it."""

    def __init__(self) -> None:
        self._name, self._how, self._left = "", "", 0

    def arm(self, place: Path, how: str, step: int) -> None:
        self._name, self._how, self._left = place.name, how, step

    def disarm(self) -> bool:
        """Whether it came to that step."""
        self._name = ""
        return self._left <= 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in STEPS or (event == "open" and arguments[2] & WRITES)
        if not self._name or not changes:
            return
        if event in STEPS or self._name in str(arguments[0]):
            self._left -= 1
            if self._left == 0 and self._how == "refuse":
                raise OSError(28, "No space left on device")
        if self._left <= 0 and self._how == "cut":
            raise PowerCut


def stopped_everywhere(write: Callable[[Path, int], None], folder: Path) -> None:
    """The writer, stopped at its steps in turn until none is left, in a process of its own, whose end frees its locks.

    Into `folder` go copies of its `0` in which it was stopped, one for each way and step.
    """
    stop, writing = Stop(), WRITERS[write]
    sys.addaudithook(stop)  # no process gets rid of it
    for how in ("cut", "refuse"):
        for step in range(1, MOST_STEPS, writing.every):
            place = Path(shutil.copytree(folder / "0", folder / f"{how}{step}")) / writing.name
            stop.arm(place, how, step)
            with suppress(OSError, PowerCut):
                write(place, 1)
            if not stop.disarm():
                break
        else:
            os._exit(ENDLESS)
    os._exit(DONE)  # before objects of the stopped ones are tidied up


def content(place: Path) -> dict[str, bytes]:
    files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
    return {str(file.relative_to(place.parent)): file.read_bytes() for file in files}


def tidied(folder: Path) -> None:
    """As commands tidy up when they begin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweep(folder)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_stopped_at_any_step_the_old_or_the_new_stands_and_a_second_call_ends_as_undisturbed(
    write: Callable[[Path, int], None], tmp_path: Path
) -> None:
    writing = WRITERS[write]
    for version in (0, 1):
        write(tmp_path / str(version) / writing.name, version)
    before, new = (content(tmp_path / str(version) / writing.name) for version in (0, 1))
    assert before != new
    assert exit_code(stopped_everywhere, write, tmp_path) == DONE
    for how in ("cut", "refuse"):
        folders, seen = sorted(tmp_path.glob(f"{how}*")), set()
        for folder in folders:
            tidied(folder)
            place = folder / writing.name
            after = content(place)
            seen.add(after == before)
            if writing.by_file:
                assert set(before) - set(after) <= set(before) - set(new), folder.name
                assert all(data in (before.get(name), new.get(name)) for name, data in after.items()), folder.name
            else:
                assert after in (before, new) or (writing.dated and after.keys() == new.keys()), folder.name
            assert [path.name for path in folder.iterdir()] == [writing.name], folder.name
            write(place, 1)
            assert content(place) == new or writing.dated, folder.name
        assert len(folders) > 2
        assert seen == {True, False}
