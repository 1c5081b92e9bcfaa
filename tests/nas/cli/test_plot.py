"""`nas plot`: every figure of docs/figures.md, of a real search as a file, and words that help where there is none."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from nas.cli.app import app
from nas.reports.figures import FIGURES

WITHOUT = {"calibration", "recovery", "swept"}  # nobody measured the small search's table; three runs or more


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["plot", *map(str, arguments)])


def refused(*arguments: object) -> str:
    """The message of a plot that must end as a user's error."""
    result = invoke(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    assert result.stderr.startswith("error: ")
    return str(result.stderr)


def test_every_figure_of_a_real_search_becomes_a_file(run: Path, tmp_path: Path) -> None:
    for name in FIGURES.keys() - WITHOUT:
        path = tmp_path / f"{name}.svg"
        result = invoke(run, name, "--out", path)
        assert result.exit_code == 0, (name, result.output)
        assert str(path) in result.output.replace("\n", "")
        assert "<text" in path.read_text(encoding="utf-8"), "text stays text"


def test_a_picture_is_called_after_run_and_figure(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke(run, "tradeoff", "--dpi", 50, "--ground", "dark").exit_code == 0
    (path,) = tmp_path.iterdir()
    assert path.name == f"{run.name}-tradeoff.png"
    with Image.open(path) as picture:
        assert picture.size == (360, 200)
        assert max(picture.convert("RGB").getpixel((1, 1))) < 40  # type: ignore[arg-type]


def test_several_runs_where_it_compares_them(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other", ignore=shutil.ignore_patterns("checkpoints")))
    assert invoke(run, other, "fronts", "--out", tmp_path / "fronts.svg").exit_code == 0
    assert ">other<" in (tmp_path / "fronts.svg").read_text(encoding="utf-8")
    assert "the figure unet is of one run, but got 2" in refused(run, other, "unet")


def test_the_list_explains_every_figure() -> None:
    said = " ".join(invoke("--list").output.split())
    assert all(name in said for name in FIGURES)
    assert said.count("?") >= len(FIGURES), "a question each"


def test_a_word_that_is_wrong_is_answered_with_those_that_are_right(run: Path, tmp_path: Path) -> None:
    assert "there is no figure 'importence'; choose among tradeoff, " in refused(run, "importence")
    assert "give a run and the name of a figure, such as `nas plot runs/demo importance`" in refused(run)
    assert "give a run and the name of a figure" in refused()
    assert "scored no action in round 77; choose among 0" in refused(run, "importance", "--round", 77)
    assert "the figure race has no option round: it has none; leave it out" in refused(run, "race", "--round", 0)
    assert "a picture must end in one of " in refused(run, "race", "--out", tmp_path / "race.docx")
    assert "there is no run" in refused(tmp_path / "none", "race")
    assert not list(tmp_path.iterdir())
