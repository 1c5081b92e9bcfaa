"""`nas evaluate`: what is typed becomes settings, the table and JSON say the same, refusals name their remedy."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from nas.cli.quality.evaluation_bar import EvaluationBar
from nas.cli.screen.console import Screen
from nas.curves.standing import Standing
from tests.folders import write_small_pipeline

CLIP = ["--clip", "shapes", "--captions", "shapes"]


def evaluate(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["evaluate", *words])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_pipeline(tmp_path_factory.mktemp("evaluate") / "small")


def test_a_table_and_json_of_the_same_numbers(small: Path, tmp_path: Path) -> None:
    words = [str(small), *CLIP, "--num-captions", "3", "--steps", "1,2", "--guidance", "1:2:1", "--no-baselines"]
    code, table, progress = evaluate(*words, "--out", str(tmp_path / "out"))
    assert code == 0, progress
    assert "drawing" in progress
    assert "left out: distances, since no real pictures were given" in table
    assert (tmp_path / "out" / "curves.svg").is_file()
    code, text, _ = evaluate(*words, "--out", str(tmp_path / "out"), "--format", "json", "--plot", "")
    points = json.loads(text)["points"]
    assert [(point["steps"], point["guidance"]) for point in points] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    for point in points:
        assert f"{point['clip']:.4g} ±" in table


def test_options_are_stronger_than_a_file(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.yaml"
    path.write_text("clip: {model: shapes}\ncaptions: shapes\nnum_captions: 2\nsteps: [7]\nbaselines: false\n")
    out = str(tmp_path / "out")
    code, text, said = evaluate(str(small), "--config", str(path), "--steps", "1", "--out", out, "--format", "json")
    assert code == 0, said
    assert [point["steps"] for point in json.loads(text)["points"]] == [1]


@pytest.mark.parametrize(
    ("words", "law"),
    [
        (["--clip", "shapes"], "give captions (`captions`), or pictures that have some (`pictures`)"),
        ([*CLIP, "--metrics", "fid"], "fid compare with real pictures, but there are captions only"),
        (
            [*CLIP, "--guidance", "1-7"],
            "numbers such as 1,2.5 or a range START:END:STEP that rises",
        ),
        ([*CLIP, "--scheduler", "DDPMScheduler"], "schedulers.0: "),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(words: list[str], law: str, small: Path, tmp_path: Path) -> None:
    code, _, said = evaluate(str(small), *words, "--out", str(tmp_path / "out"))
    assert (code, law in said) == (2, True), said
    assert not (tmp_path / "out").exists()


def test_the_time_to_the_end_counts_what_was_drawn_now(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 10.0, 20.0, 20.0])
    with EvaluationBar(Screen(stderr=True), clock=lambda: next(times)) as bar:
        bar.show(Standing(phase="drawing", done=50, total=100, stored=50))
        bar.show(Standing(phase="drawing", done=60, total=100, stored=50, what="shapes"))
    assert "drawing 60/100: 50 stored before, 40 s left, shapes" in capsys.readouterr().err


def test_a_pipeline_that_is_not_there(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pipeline", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "out")])
    assert (done.exit_code, "there is no pipeline" in done.stderr) == (2, True)
