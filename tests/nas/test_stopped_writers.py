"""Whatever writes for a user, its power cut or out of disk at any step: the old or the new stands whole.

What searches and trains is stopped in tests/nas/test_stopped_work.py.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast
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
from nas.reports.page import write_report as write_page
from nas.runs.run import Run, open_run
from nas.settings import read
from nas.stages.final import write_final
from nas.stages.outcome import Outcome, write_receipt
from nas.stages.report import write_report
from nas.stages.settings import FinalSettings, PipelineSettings
from nas.stages.times import PARTS, PartTimes
from nas.sweeps.table import write_trials
from nas.sweeps.tune import Trial, table_of
from search_spaces.files.durable.writing import put_copy
from search_spaces.shapes.__main__ import write_pictures
from tests.folders import write_small_pipeline
from tests.nas.reports.stories import story, written
from tests.nas.stopping import Write, Writing, seen_standing
from tests.nas.synthetic import small_space, synthetic_table

TABLES = [synthetic_table(small_space(max_copies=copies)) for copies in (0, 1)]


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
    folder, report = TrainingDirectory(place), {"last_loss": float(version)}
    with folder.opened({"seed": 0}, contents={"model": "0"}):
        if folder.trained() != report:
            folder.state.write_bytes(b"weights")
            folder.end(report)


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


def write_a_runs_page(place: Path, version: int) -> None:
    """What `nas report` writes."""
    run = place.parents[1] / f"run-{version}"
    write_page(open_run(run if run.is_dir() else written(run, story(1 + version, num_actions=2))), place)


WRITERS: dict[Write, Writing] = {
    write_a_table: Writing(name="table.json"),
    write_drawn_pictures: Writing(name="pictures.png"),
    write_a_figure: Writing(name="figure.png"),
    write_shapes: Writing(name="pictures", every=2),
    write_curves_of_models: Writing(name="curves", by_file=True, every=2),
    write_a_training: Writing(name="training", by_file=True, passing=("state.safetensors",)),
    write_distilled_steps: Writing(name="pipeline"),
    write_a_receipt: Writing(name="evaluation", by_file=True, every=4),
    write_the_last_folder: Writing(name="final", every=9),
    write_a_pipelines_report: Writing(name="report", by_file=True, every=2),
    write_a_sweeps_table: Writing(name="sweep", by_file=True, every=2),
    write_a_runs_page: Writing(name="report.html"),
    write_frames_of_a_run: Writing(name="frames", by_file=True, every=2),
}


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_stopped_at_any_step_the_old_or_the_new_stands_and_a_second_call_ends_as_undisturbed(
    write: Write, tmp_path: Path
) -> None:
    assert seen_standing(write, WRITERS[write], tmp_path) == {"the old", "more"}
