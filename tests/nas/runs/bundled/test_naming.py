"""The sample run is a run like any other: complete but for weights, small, and no place of a machine in it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nas
from nas.cli.app import app
from nas.config.loading import load_config
from nas.references.architecture import read_architecture
from nas.references.base_model import base_of
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


def test_a_run_that_is_there_wins_over_the_name_and_another_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named_run("sample") == SAMPLE
    assert named_run("simple") == Path("simple")
    (tmp_path / "sample").mkdir()
    assert named_run("sample") == SAMPLE
    (tmp_path / "sample" / "trace.jsonl").touch()
    assert named_run("sample") == Path("sample"), "a damaged one, too"


def test_commands_take_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["status", "sample"])
    assert told.exit_code == 0, told.output
    assert "<- found" in told.output


@pytest.mark.usefixtures("checked_here")
def test_an_export_knows_the_name_and_writes_nothing_into_a_bundled_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(BUNDLED_RUNS, "mine", run)  # one that has its weights
    before = sorted(run.rglob("*"))
    remedy = "comes with the installation, and nothing is written there; say where the export goes: `out=FOLDER`"
    for given in ("mine", nas.open_run("mine"), run):
        with pytest.raises(ValueError, match=remedy):
            nas.export_run(given)
    told = CliRunner().invoke(app, ["export", "mine"])
    assert told.exit_code != 0
    assert "--out FOLDER" in told.output
    nas.export_run("mine", out="out", measure=False)
    assert (tmp_path / "out" / "architecture.json").is_file()
    assert sorted(run.rglob("*")) == before


def test_a_bundled_run_without_weights_says_what_has_some(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sample came without the weights of its rounds; `nas demo` makes one"):
        nas.export_run("sample", out=tmp_path / "out")


def test_an_architecture_and_a_start_may_be_a_bundled_run(experiment: Path) -> None:
    found = read_architecture("sample", base=base_of("sample"))
    assert found == nas.open_run("sample").architecture
    assert load_config(experiment, overrides=["search.start=sample"]).search.start == str(SAMPLE)
