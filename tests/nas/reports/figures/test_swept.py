"""Settings against results: a point a run, at its own settings and score, on three runs or more."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from nas.cli.app import app
from nas.reports.figures import draw
from nas.reports.style import FigureError
from nas.runs.run import Run, open_run
from nas.sweeps.table import trials_of
from search_spaces.files.user_error import UserError
from tests.nas.reports.stories import story, written

RATES, SPACES = (1e-4, 1e-3, 1e-2), ("any", "stock", "any")


def trials(folder: Path, /) -> list[Run]:
    """Three runs of a sweep: two settings differ, the last one misses its target."""
    runs, table = [], []
    for number, (rate, space) in enumerate(zip(RATES, SPACES, strict=True)):
        events = story(num_rounds=number + 1)
        if number == 2:
            events[-1]["target_met"] = False
        path = written(folder / "trials" / f"t{number}", events)
        config = {"robust_training": {"learning_rate": rate}, "search": {"space": space}, "seed": 0}
        (path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        runs.append(open_run(path))
        table.append({"objective": (0.2, 0.3, -5.0)[number], "run": path.name})
    pd.DataFrame(table).to_csv(folder / "trials.csv", index=False)
    return runs


def test_a_panel_per_setting_has_a_point_per_run_hollow_where_the_target_is_missed(tmp_path: Path) -> None:
    runs = trials(tmp_path)
    scores = [row["clip"] for run in runs for row in run.rounds().iloc[-1:].to_dict("records")]
    panels: Any = [axes for axes in draw("swept", runs).axes if axes.get_visible()]
    rate, space = panels
    points: Any = rate.collections[0].get_offsets()
    assert points.tolist() == [[x, pytest.approx(y)] for x, y in zip(RATES, scores, strict=True)]
    assert rate.get_xscale() == "log"
    assert [len(faces) for faces in rate.collections[0].get_facecolors()] == [4, 4, 4]
    assert [faces[3] for faces in rate.collections[0].get_facecolors()] == [1, 1, 0]
    assert [label.get_text() for label in space.get_xticklabels()] == ["any", "stock"]
    assert [x for x, _ in space.collections[0].get_offsets()] == [0, 1, 0]
    assert rate.get_xlabel() == "robust_training.learning_rate"


def test_what_is_no_sweep_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    runs = trials(tmp_path)
    with pytest.raises(FigureError, match="three runs or more that found something, but got 2"):
        draw("swept", runs[:2])
    with pytest.raises(FigureError, match="settings of these runs are the same"):
        draw("swept", [runs[0]] * 3)
    assert trials_of(tmp_path / "trials") == ()
    (tmp_path / "trials.csv").write_text("trial\n0\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"trials\.csv has 1 problem:\s+line 2 must have `objective`, but has trial"):
        trials_of(tmp_path)


def test_the_report_of_a_sweep_is_that_of_its_best_trial_beside_the_others(tmp_path: Path) -> None:
    trials(tmp_path)
    assert [path.name for path in trials_of(tmp_path)] == ["t1", "t0", "t2"]
    done = CliRunner().invoke(app, ["report", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "What each run reached, by the settings in which they differ" in page
    assert all(name in page for name in ("t0", "t1", "t2", "robust_training.learning_rate"))
