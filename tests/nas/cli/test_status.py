"""`nas status`: how far a run is, what was found, and what each action saved and cost."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from tests.nas.cli.invoking import invoke
from tests.nas.searching import events_of, read_json


def test_status_tells_how_far_a_run_is(run: Path, tmp_path: Path) -> None:
    status = json.loads(invoke("status", run, "--format", "json").stdout)
    spec = read_json(run / "architecture.json")
    assert (status["state"], status["stop"], status["target_met"]) == ("finished", "converged", True)
    assert (status["target_latency_ms"], status["base_latency_ms"]) == (
        spec["target_latency_ms"],
        spec["base_latency_ms"],
    )
    assert [entry["round"] for entry in status["rounds"]] == list(range(len(status["rounds"])))
    assert status["rounds"][spec["round"]]["arch_id"] == spec["arch_id"]
    assert "finished, converged" in invoke("status", run).stdout

    half = tmp_path / "half"
    half.mkdir()
    shutil.copy(run / "config.yaml", half)
    lines = (run / "trace.jsonl").read_text().splitlines(keepends=True)
    (half / "trace.jsonl").write_text("".join(lines[:3]) + lines[3][:20])
    status = json.loads(invoke("status", half, "--format", "json").stdout)
    assert (status["state"], status["stop"], status["num_events"]) == ("interrupted", None, 3)
    assert "interrupted" in invoke("status", half).stdout


def test_status_marks_what_was_found_and_says_what_each_action_saved_and_cost(run: Path) -> None:
    spec, shown = read_json(run / "architecture.json"), invoke("status", run).stdout
    (marked,) = (line for line in shown.splitlines() if "<- found" in line)
    assert marked.split()[:2] == [str(spec["round"]), f"{spec['predicted_latency_ms']:.3f}"]
    assert json.loads(invoke("status", run, "--format", "json").stdout)["found_round"] == spec["round"]
    scored = {
        (each["round"], each["action"]): each for each in events_of(run, "evaluation") if each["action"] is not None
    }
    for decision in events_of(run, "decision"):
        for action in decision["actions"]:
            (line,) = (line for line in shown.splitlines() if line.split()[:2] == [str(decision["round"]), action])
            if (decision["round"], action) in scored:
                costs = scored[decision["round"], action]
                saved, lost = line.split()[2:4]
                assert saved == f"{costs['d_latency_ms']:.3f}"
                assert float(lost) == pytest.approx(costs["d_clip"]["mean"], abs=6e-5)
                assert (float(lost) == 0) == (costs["d_clip"]["mean"] == 0), "what is small is not nothing"


def test_status_of_a_run_that_was_extended_is_that_of_its_last_target(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    lines = (run / "trace.jsonl").read_text().splitlines()
    again = json.loads(lines[0]) | {"event": "search_extended", "target_latency_ms": 1.0}
    (tmp_path / "trace.jsonl").write_text("\n".join([*lines, json.dumps(again)]) + "\n")
    status = json.loads(invoke("status", tmp_path, "--format", "json").stdout)
    assert (status["state"], status["target_latency_ms"]) == ("interrupted", 1.0)


def test_status_spells_actions_out(run: Path) -> None:
    taken = read_json(run / "architecture.json")["actions"]
    result = CliRunner().invoke(app, ["status", str(run)], env={"COLUMNS": "200"})
    assert taken
    assert all(action in result.stdout for action in taken)
