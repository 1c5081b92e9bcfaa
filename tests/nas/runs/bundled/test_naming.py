"""The sample run is a run like any other: complete but for weights, small, and no place of a machine in it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.runs.bundled.naming import BUNDLED_RUNS, named_run

SAMPLE = BUNDLED_RUNS["sample"]
FILES = sorted(path for run in BUNDLED_RUNS.values() for path in run.rglob("*") if path.is_file())


def test_the_sample_is_a_finished_run_with_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = nas.open_run("sample")
    assert run.is_finished
    assert run.spec["target_met"]
    scored = run.evaluations().merge(run.scores(), on=["arch_id", "weights_digest"])
    counted = scored.groupby(["round", "action"], sort=False).size()
    assert counted.tolist() == run.evaluations()["num_prompts"].tolist()
    assert run.config["model"] == run.config["clip"]["model"] == run.config["validation"]["captions"] == "shapes"


def test_the_other_sample_is_the_same_search_for_another_device() -> None:
    one, other = nas.open_run("sample"), nas.open_run("sample_onnxruntime")
    assert other.is_finished
    changed = {key for key, value in one.config.items() if other.config[key] != value}
    assert changed == {"latency_table"}


def test_they_are_small_and_name_no_place() -> None:
    assert {path.suffix for path in FILES} <= {".json", ".jsonl", ".yaml", ".md", ".png", ".parquet"}
    assert sum(path.stat().st_size for path in FILES) < 1_000_000
    texts = [path for path in FILES if path.suffix not in {".png", ".parquet"}]
    assert [path.name for path in texts if re.search(r"[\"'\s]/\w+/", path.read_text(encoding="utf-8"))] == []


def test_what_is_there_wins_over_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_run("sample") == SAMPLE
    assert named_run("simple") == Path("simple")
    (tmp_path / "sample").mkdir()
    assert named_run("sample") == Path("sample")


def test_commands_take_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["status", "sample"])
    assert told.exit_code == 0, told.output
    assert "<- found" in told.output
