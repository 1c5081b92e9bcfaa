"""Commands about runs that are there, on whatever lies in a folder: words, JSON and CSV."""

import csv
import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from nas.runs.directory import RunDirectory
from search_spaces.files.strict_yaml import read_yaml


def invoke(*arguments: object) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    """A finished run, one that was stopped half way with another setting in a folder below, and something else."""
    runs = tmp_path / "runs"
    shutil.copytree(run, runs / "whole")
    half = Path(shutil.copytree(run, runs / "sweep" / "[bold]half"))
    text = (half / "trace.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    until = next(at for at, line in enumerate(text) if '"event": "decision"' in line)
    (half / "trace.jsonl").write_text("".join(text[: until + 1]), encoding="utf-8")
    config = (half / "config.yaml").read_text(encoding="utf-8")
    assert "removals_per_round: 2" in config
    (half / "config.yaml").write_text(
        config.replace("removals_per_round: 2", "removals_per_round: 3"), encoding="utf-8"
    )
    (runs / "notes.txt").write_text("nothing", encoding="utf-8")
    return runs


def test_runs_of_a_folder_are_listed(folder: Path) -> None:
    rows = {row["name"]: row for row in json.loads(invoke("runs", folder, "--format", "json").stdout)}
    assert list(rows) == ["sweep/[bold]half", "whole"]
    whole, half = rows["whole"], rows["sweep/[bold]half"]
    assert (whole["state"], whole["stop"], whole["target_met"]) == ("finished", "converged", True)
    assert (half["state"], half["num_rounds"]) == ("interrupted", 1)
    assert whole["hours"] > half["hours"] > 0
    assert whole["low"] <= whole["mean"] <= whole["high"]
    shown = invoke("runs", folder).stdout
    assert "[bold]" in shown
    assert "interrupted" in shown
    table = list(csv.DictReader(StringIO(invoke("runs", folder, "--format", "csv").stdout)))
    assert [row["name"] for row in table] == list(rows)


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    for folder, law in ((tmp_path, "there is no run in"), (tmp_path / "none", "there is no folder")):
        result = invoke("runs", folder)
        assert result.exit_code == 2
        assert law in result.stderr


def test_a_damaged_run_is_told_beside_the_others(folder: Path) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / "config.yaml").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "config.yaml").write_bytes(b"\xff\xfe\xff")
    result = invoke("runs", folder, "--format", "json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)) == 2
    assert "other cannot be read" in result.stderr


def test_two_runs_are_compared(folder: Path) -> None:
    whole, half = folder / "whole", folder / "sweep" / "[bold]half"
    told = json.loads(invoke("compare", whole, half, "--format", "json").stdout)
    assert told["settings"] == {"search.removals_per_round": [2, 3]}
    first, second = told["runs"]
    assert first["paired"] is None
    assert second["paired"]["gain"]["num_prompts"] == 3
    assert first["only"] == first["actions"], "the other had executed nothing when it was stopped"
    assert told["common_actions"] == []
    shown = invoke("compare", whole, half).stdout
    assert "search.removals_per_round" in shown
    assert "share 3 prompts" in shown
    table = list(csv.DictReader(StringIO(invoke("compare", whole, half, "--format", "csv").stdout)))
    assert [row["search.removals_per_round"] for row in table] == ["2", "3"]
    alone = invoke("compare", whole)
    assert alone.exit_code == 2
    assert "a comparison needs two runs or more" in alone.stderr


def test_runs_on_other_prompts_are_not_paired(folder: Path) -> None:
    other = Path(shutil.copytree(folder / "whole", folder / "bare"))
    shutil.rmtree(other / "scores")
    told = json.loads(invoke("compare", folder / "whole", other, "--format", "json").stdout)
    assert told["runs"][1]["paired"]["gain"] is None
    assert "its scores, or those of the first, are not in the run" in invoke("compare", folder / "whole", other).stdout


def test_status_tells_a_run_that_goes_on_from_one_that_was_stopped(folder: Path) -> None:
    half = folder / "sweep" / "[bold]half"
    assert json.loads(invoke("status", half, "--format", "json").stdout)["state"] == "interrupted"
    with RunDirectory(half).opened(read_yaml(half / "config.yaml")):
        assert json.loads(invoke("status", half, "--format", "json").stdout)["state"] == "running"
    watched = invoke("status", folder / "whole", "--watch")
    assert watched.exit_code == 0
    assert "finished, converged" in watched.stdout


def test_status_says_how_sure_each_decision_was(folder: Path) -> None:
    status = json.loads(invoke("status", folder / "whole", "--format", "json").stdout)
    sure = [row for row in status["decisions"] if row["chance"] is not None]
    assert sure
    shown = invoke("status", folder / "whole").stdout
    first = sure[0]
    (line,) = (line for line in shown.splitlines() if line.split()[:2] == [str(first["round"]), first["action"]])
    assert line.split()[-1] == f"{first['chance']:.0%}"
    assert f"next in round {first['round']} would have been {first['runner_up']}" in shown
    rows = list(csv.DictReader(StringIO(invoke("status", folder / "whole", "--format", "csv").stdout)))
    assert [int(row["round"]) for row in rows] == [row["round"] for row in status["rounds"]]


def test_status_of_a_damaged_run_shows_what_there_is(folder: Path) -> None:
    trace = folder / "whole" / "trace.jsonl"
    lines = trace.read_text(encoding="utf-8").splitlines(keepends=True)
    trace.write_text("".join([*lines[:4], "{rotten\n", *lines[4:]]), encoding="utf-8")
    result = invoke("status", folder / "whole")
    assert result.exit_code == 0
    assert "note: line 5 of trace.jsonl is not JSON" in result.stdout


def test_settings_that_cannot_be_read_are_a_note(folder: Path) -> None:
    (folder / "whole" / "config.yaml").write_text("- not\n- a mapping\n", encoding="utf-8")
    result = invoke("compare", folder / "whole", folder / "sweep" / "[bold]half")
    assert result.exit_code == 0, result.output
    assert "note: whole: its settings cannot be read: " in result.stdout


def test_json_holds_no_number_that_is_none(folder: Path) -> None:
    trace = folder / "whole" / "trace.jsonl"
    first, _, others = trace.read_text(encoding="utf-8").partition("\n")
    start = json.loads(first) | {"target_latency_ms": float("nan"), "base_latency_ms": float("inf")}
    trace.write_text(json.dumps(start) + "\n" + others, encoding="utf-8")
    whole, half = folder / "whole", folder / "sweep" / "[bold]half"
    for command in (["status", whole], ["runs", folder], ["compare", half, whole]):
        said = invoke(*command, "--format", "json")
        assert said.exit_code == 0, said.output
        assert json.loads(said.stdout, parse_constant=pytest.fail)
        assert "null" in said.stdout
