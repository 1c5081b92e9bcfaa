"""`nas plot`: every figure of docs/figures.md, of a real search as a file, and words that help where there is none."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from nas.reports.figures import FIGURES
from tests.nas.cli.invoking import invoke, refused

WITHOUT = {"calibration", "recovery", "swept"}  # nobody measured the small search's table; three runs or more


def test_every_figure_of_a_real_search_becomes_a_file(run: Path, tmp_path: Path) -> None:
    for name in FIGURES.keys() - WITHOUT:
        path = tmp_path / f"{name}.svg"
        result = invoke("plot", run, name, "--out", path)
        assert result.exit_code == 0, (name, result.output)
        assert str(path) in result.output.replace("\n", "")
        assert "<text" in path.read_text(encoding="utf-8"), "text stays text"


def test_a_picture_is_called_after_run_and_figure(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("plot", run, "tradeoff", "--dpi", 50, "--ground", "dark").exit_code == 0
    (path,) = tmp_path.iterdir()
    assert path.name == f"{run.name}-tradeoff.png"
    with Image.open(path) as picture:
        assert picture.size == (360, 200)
        assert max(picture.convert("RGB").getpixel((1, 1))) < 40  # type: ignore[arg-type]


def test_several_runs_where_it_compares_them(run: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(run, tmp_path / "other", ignore=shutil.ignore_patterns("checkpoints")))
    assert invoke("plot", run, other, "fronts", "--out", tmp_path / "fronts.svg").exit_code == 0
    assert ">other<" in (tmp_path / "fronts.svg").read_text(encoding="utf-8")
    assert "the figure unet is of one run, but got 2" in refused("plot", run, other, "unet")


def test_the_list_explains_every_figure() -> None:
    said = " ".join(invoke("plot", "--list").output.split())
    assert all(name in said for name in FIGURES)
    assert said.count("?") >= len(FIGURES), "a question each"


def test_a_word_that_is_wrong_is_answered_with_those_that_are_right(run: Path, tmp_path: Path) -> None:
    assert "there is no figure 'importence'; choose among tradeoff, " in refused("plot", run, "importence")
    assert "give a run and the name of a figure, such as `nas plot runs/demo importance`" in refused("plot", run)
    assert "give a run and the name of a figure" in refused("plot")
    assert "scored no action in round 77; choose among 0" in refused("plot", run, "importance", "--round", 77)
    assert "the figure race has no option round: it has none; leave it out" in refused(
        "plot", run, "race", "--round", 0
    )
    assert "a picture must end in one of " in refused("plot", run, "race", "--out", tmp_path / "race.docx")
    assert "there is no run" in refused("plot", tmp_path / "none", "race")
    assert not list(tmp_path.iterdir())
