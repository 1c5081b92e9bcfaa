"""The gallery draws what a run has, leaves out what it lacks, and the page that stands in docs shows every figure."""

from pathlib import Path

import pytest
from PIL import Image

from experiments.gallery import main
from nas.reports.figures import FIGURES
from tests.nas.reports.stories import keep_scores, story, written

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"


def test_a_gallery_is_a_page_and_a_small_picture_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = story(1, num_actions=3)
    run = written(tmp_path / "run", events)
    keep_scores(run, events)
    assert main([str(run), str(tmp_path / "docs" / "figures")]) == 0
    page = (tmp_path / "docs" / "figures.md").read_text(encoding="utf-8")
    there = FIGURES.keys() - {"workers", "calibration", "recovery", "swept"}  # of which a made-up search has nothing
    pictures = {path.stem: path for path in (tmp_path / "docs" / "figures").iterdir()}
    assert pictures.keys() == there
    for name, path in pictures.items():
        assert f"\n## {name}\n" in page
        assert f"](figures/{name}.png)" in page
        with Image.open(path) as picture:
            assert picture.mode == "P", "few colours"
    assert "workers: " in capsys.readouterr().out, "what it lacks is said"
    assert main([str(run)]) == 2

    swept = "\n## swept\n\nOf a sweep.\n"
    (tmp_path / "docs" / "figures.md").write_text(page + swept, encoding="utf-8")
    assert main([str(run), str(tmp_path / "docs" / "figures")]) == 0
    assert (tmp_path / "docs" / "figures.md").read_text(encoding="utf-8") == page + swept, "what it lacks stays"


def test_the_page_in_docs_shows_every_figure_with_its_sentence() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for figure in (FIGURES[name] for name in FIGURES if name != "recovery"):  # of a re-ranking, which is no demo
        assert f"## {figure.name}\n\n{figure.sentence}\n" in page, (
            "python -m experiments.gallery runs/demo docs/figures"
        )
        path = PAGE.parent / "figures" / f"{figure.name}.png"
        assert path.stat().st_size < 60_000
