"""A search by output_change: less is better, the reference is the base model whatever was trained, killed or spread."""

import signal
from pathlib import Path

import pytest

from nas.runs.trace import read_trace
from nas.scores.store import ScoreStore
from tests.nas.searching import same_result, search, search_until_training
from tests.nas.spread import spread
from tests.nas.synthetic import small_config, write_experiment
from tests.warm import exit_code


def test_it_goes_on_after_a_kill_and_on_other_workers_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_config() | {"score": {"name": "output_change", "settings": {"num_timesteps": 2}}}
    del settings["clip"]
    config = write_experiment(tmp_path, settings)
    found = search(config, tmp_path / "undisturbed")
    assert exit_code(search_until_training, config, tmp_path / "killed", 1) == -signal.SIGKILL
    spread(monkeypatch)
    search(config, tmp_path / "killed", num_workers=2)
    same_result(tmp_path / "undisturbed", tmp_path / "killed")

    events = read_trace(tmp_path / "undisturbed" / "trace.jsonl")
    rounds = [event for event in events if event["event"] == "evaluation" and event["action"] is None]
    assert all(event["clip"]["mean"] > 0 for event in rounds), "training moves the base model away from itself"
    removals = [event for event in events if event["event"] == "evaluation" and event["action"] is not None]
    assert all(
        abs(event["d_clip"]["mean"] - (event["clip"]["mean"] - rounds[event["round"]]["clip"]["mean"])) < 1e-9
        for event in removals
    ), "what is lost is after minus before"
    meeting = [event["clip"]["mean"] for event in rounds if event["predicted_latency_ms"] <= found.target_latency_ms]
    assert found.clip.mean == min(meeting)
    assert set(ScoreStore(tmp_path / "killed" / "scores").frame(score="output_change")["caption"])
