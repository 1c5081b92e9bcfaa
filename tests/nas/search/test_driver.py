"""Whole searches of a small model: uninterrupted, killed and continued; always the same result."""

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_rel

import nas.search.staff
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.checkpoints.weights import CheckpointWarning
from nas.runs.directory import RunDirectoryError, RunWarning
from nas.runs.records.lines import KINDS
from nas.runs.records.reading import read_records
from nas.runs.spec import read_spec
from nas.runs.trace import TraceError, read_trace
from nas.scores.store import ScoreStore, ScoreStoreWarning
from nas.search.progress import Progress
from nas.training.loop import Training
from search_spaces import Action, Architecture
from tests.nas.searching import (
    IdlePool,
    exit_code,
    read_json,
    same_records,
    same_result,
    search,
    search_until_killed,
    search_until_training,
)
from tests.nas.synthetic import (
    CONTEXT_TOKENS,
    FREE_BLOCKS,
    small_config,
    small_space,
    synthetic_ms,
    write_experiment,
)

SPACE = small_space()


def test_the_spec_says_what_was_found_and_how(run: Path) -> None:
    architecture, spec = read_spec(run / "architecture.json")
    assert spec["schema_version"] == 1
    assert spec["arch_id"] == architecture.arch_id
    assert spec["base"]["arch_id"] == SPACE.base.arch_id
    assert spec["base"]["num_params"] == SPACE.num_params(SPACE.base)
    rebuilt = SPACE.base
    for action in spec["actions"]:
        rebuilt = Action.parse(action).apply(rebuilt)
        assert action[1:] in FREE_BLOCKS
    assert rebuilt == architecture == Architecture.from_dict(spec)
    assert spec["num_params"] == SPACE.num_params(architecture) < spec["base"]["num_params"]
    for key, value in (("base_latency_ms", SPACE.base), ("predicted_latency_ms", architecture)):
        assert spec[key] == pytest.approx(
            sum(synthetic_ms(s.signature) for s in SPACE.sites(value, context_tokens=CONTEXT_TOKENS))
        )
    assert spec["predicted_latency_ms"] <= spec["target_latency_ms"] < spec["base_latency_ms"]
    assert spec["target_met"] is True
    assert spec["stop"] == "converged"
    low, high = spec["clip_interval"]
    assert low <= spec["clip"] <= high
    assert set(spec["digests"]) == {
        "config",
        "model",
        "clip",
        "latency_table",
        "protocol",
        "validation",
        "training_pictures",
        "weights",
    }


def test_the_trace_tells_the_whole_search(run: Path) -> None:
    events = read_trace(run / "trace.jsonl")
    assert (events[0]["event"], events[-1]["event"]) == ("search_started", "search_finished")
    assert all("runtime" in event for event in events)
    num_rounds = max(event.get("round", 0) for event in events) + 1
    for number in range(num_rounds):
        kinds = [event["event"] for event in events if event.get("round") == number and event["event"][:6] != "search"]
        assert kinds[0] == "trained"
        assert set(kinds[1:-1]) == ({"evaluation", "race"} if number < num_rounds - 1 else {"evaluation"})
        assert kinds[-1] == "decision"
    decided = [action for event in events if event["event"] == "decision" for action in event["actions"]]
    assert (
        decided[: len(read_json(run / "architecture.json")["actions"])]
        == read_json(run / "architecture.json")["actions"]
    )
    assert events[-1]["arch_id"] == read_json(run / "architecture.json")["arch_id"]


def paired_by_hand(before: Any, after: Any) -> tuple[float, tuple[float, float]]:
    """Mean loss and its 95 % interval, as scipy's paired t test has them."""
    low, high = ttest_rel(before, after).confidence_interval(0.95)
    return float(np.mean(before) - np.mean(after)), (float(low), float(high))


def test_losses_are_paired_per_prompt_scores_of_the_store(run: Path, experiment: Path) -> None:
    frame = ScoreStore(run / "scores").frame()
    events = [event for event in read_trace(run / "trace.jsonl") if event.get("round") == 0]
    digest = next(event["weights_digest"] for event in events if event["event"] == "trained")
    prompt_ids = [prompt.prompt_id for prompt in resolve(load_config(experiment)).worker.validation.prompts]
    frame = frame[frame["weights_digest"] == digest].sort_values("prompt_id", key=lambda ids: ids.map(prompt_ids.index))
    base, *removals = [event for event in events if event["event"] == "evaluation"]
    assert len(removals) == len(FREE_BLOCKS)
    before = frame[frame["arch_id"] == base["arch_id"]]
    assert len(before) == 3
    for event in removals:
        after = frame[frame["arch_id"] == event["arch_id"]]
        assert list(after["prompt_id"]) == list(before["prompt_id"]) == prompt_ids
        loss, interval = paired_by_hand(before["clip"].to_numpy(), after["clip"].to_numpy())
        told = event["d_clip"]
        assert (told["mean"], told["low"], told["high"]) == pytest.approx((loss, *interval))
        _, mismatched = paired_by_hand(before["clip"].to_numpy(), np.roll(after["clip"].to_numpy(), 1))
        assert told["low"] != pytest.approx(mismatched[0], abs=1e-6), "which prompt is paired with which counts"
        assert event["value"] == pytest.approx(loss / event["d_latency_ms"])


def test_every_round_leaves_its_checkpoint_and_its_pictures(run: Path) -> None:
    events = read_trace(run / "trace.jsonl")
    numbers = [event["round"] for event in events if event["event"] == "trained"]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [f"round-{n:03d}" for n in numbers]
    assert sorted(path.name for path in (run / "images").iterdir()) == [f"round-{n:03d}.png" for n in numbers]
    assert not list(run.rglob("*.part*"))


def test_a_finished_run_makes_no_picture_and_trains_no_step_again(
    run: Path, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrained(*args: Any, **kwargs: Any) -> list[float]:
        raise AssertionError("a round was trained again")

    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    monkeypatch.setattr(Training, "run", untrained)
    found = search(experiment, run)
    assert found.architecture == read_spec(run / "architecture.json")[0]
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(run: Path, experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    for num_writes in (1, 2, 3, 9, 4):
        assert exit_code(search_until_killed, experiment, out, num_writes) == -signal.SIGKILL
    assert exit_code(search_until_training, experiment, out, 1) == -signal.SIGKILL
    with (out / "trace.jsonl").open("a", encoding="utf-8") as trace:
        trace.write('{"event": "evalua')  # the write itself was torn
    assert exit_code(search_until_killed, experiment, out, 4) == -signal.SIGKILL
    assert not (out / "architecture.json").exists(), "the run was killed before its end"
    assert exit_code(search, experiment, out) == 0
    same_result(run, out)
    same_records(run, out)


def test_what_a_search_writes_beside_its_trace_covers_all_its_work(run: Path) -> None:
    breakdown, timings, training = (read_records(run, kind) for kind in KINDS)
    assert breakdown.notices == timings.notices == training.notices == ()
    events = read_trace(run / "trace.jsonl")
    rounds = [event for event in events if event["event"] == "evaluation" and event["action"] is None]
    assert {row["arch_id"] for row in breakdown.rows} == {event["arch_id"] for event in rounds}
    params = {event["arch_id"]: event["num_params"] for event in rounds}
    for row in breakdown.rows:
        assert sum(block["ms"] for block in row["blocks"]) == pytest.approx(row["predicted_latency_ms"])
        assert sum(block["num_params"] for block in row["blocks"]) == params[row["arch_id"]]
    scored = [event["clip"]["num_prompts"] for event in events if event["event"] == "evaluation"]
    assert sum(row["num_pictures"] for row in timings.rows) == sum(scored), "each picture was drawn once"
    assert all(row["end"] > row["start"] > 1e9 for row in timings.rows)
    trained = [event for event in events if event["event"] == "trained"]
    assert [len(row["losses"]) for row in training.rows] == [event["iterations"] for event in trained]
    assert all(event["runtime"]["loss"]["first"] > 0 and "losses" not in event["runtime"] for event in trained)


def test_each_scored_action_leaves_a_few_small_pictures(run: Path) -> None:
    events = read_trace(run / "trace.jsonl")
    num_actions = sum(event["event"] == "evaluation" and event["action"] is not None for event in events)
    samples = sorted((run / "scores").rglob("*.samples.parquet"))
    assert len(samples) == num_actions
    assert {pq.read_table(path).num_rows for path in samples} == {2}, "no more than a chunk has"


def weights_of(run: Path, number: int) -> str:
    """The digest of a round's weights."""
    trained = [event for event in read_trace(run / "trace.jsonl") if event["event"] == "trained"]
    return str(next(event["weights_digest"] for event in trained if event["round"] == number))


def test_damaged_weights_and_scores_are_made_again_loudly(run: Path, experiment: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(run, tmp_path / "damaged"))
    for path in (
        out / "weights" / f"{weights_of(out, 1)}.safetensors",
        next(out.glob("scores/*/scores.jsonl")),
    ):
        content = path.read_bytes()
        path.write_bytes(content[:-99] + b"rotten" + content[-93:])
    with pytest.warns(CheckpointWarning, match=r"safetensors is damaged"), pytest.warns(ScoreStoreWarning):
        search(experiment, out)
    same_result(run, out)


def test_an_edit_of_a_run_s_config_that_is_taken_back_does_no_harm(
    run: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edited config looks like one that the command extends, until the trace is read."""
    out = Path(shutil.copytree(run, tmp_path / "edited"))
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    config = (out / "config.yaml").read_text()
    edited = re.sub(r"target_ratio: [\d.]+", "target_ratio: 0.99", config)
    assert edited != config
    (out / "config.yaml").write_text(edited)
    with pytest.raises(TraceError, match=r"line 1 of .*the run's own config\.yaml changed since: take that back"):
        search(experiment, out)
    (out / "config.yaml").write_text(config)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    search(experiment, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_damaged_pictures_are_drawn_again_loudly(
    run: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(run, tmp_path / "damaged"))
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    cut = {"round-000.png": 50, "round-001.png": 0}
    for name, size in cut.items():
        os.truncate(out / "images" / name, size)
    with pytest.warns(RunWarning, match=r"round-00\d\.png is damaged: drawn again") as told:
        search(experiment, out)
    assert len([each for each in told if each.category is RunWarning]) == len(cut)
    assert all((out / "images" / name).read_bytes() == (run / "images" / name).read_bytes() for name in cut)


def test_every_process_says_once_what_it_runs_on(run: Path) -> None:
    told = [event["runtime"].get("environment") for event in read_trace(run / "trace.jsonl")]
    assert told[0] == read_json(run / "environment.json")
    assert told[1:] == [None] * (len(told) - 1)


def test_a_run_that_is_moved_while_it_is_searched_stops_and_continues_elsewhere(
    run: Path, experiment: Path, tmp_path: Path
) -> None:
    out, elsewhere = tmp_path / "run", tmp_path / "elsewhere"

    def move(progress: Progress) -> None:
        if progress.phase == "scoring" and progress.done and out.exists():
            out.rename(elsewhere)

    with pytest.raises(RunDirectoryError, match=r"run must stay where it is .* it continues"):
        search(experiment, out, on_progress=move)
    assert not out.exists()
    search(experiment, elsewhere)
    same_result(run, elsewhere)


def test_a_checkpoint_of_another_round_is_trained_again(run: Path, experiment: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(run, tmp_path / "swapped"))
    for name in ("architecture.json", "weights.json"):
        shutil.copy(*(out / "checkpoints" / f"round-00{number}" / name for number in (0, 1)))
    with pytest.warns(CheckpointWarning, match="round-001 is damaged .*round is 0, not 1"):
        search(experiment, out)
    shutil.rmtree(out / "checkpoints" / "round-001.damaged")
    same_result(run, out)


def test_a_copy_is_born_trained_and_resumed(tmp_path: Path) -> None:
    """A target above the base model's latency leaves room for an A+ at once."""
    base_ms = sum(synthetic_ms(site.signature) for site in SPACE.sites(SPACE.base, context_tokens=CONTEXT_TOKENS))
    settings = small_config(target_ratio=None, target_latency_ms=1.2 * base_ms, max_copies=1, value="paper")
    settings["seed"] = 1  # of which one copy is worth its milliseconds
    path = write_experiment(tmp_path / "copying", settings)
    undisturbed, killed = tmp_path / "copying" / "undisturbed", tmp_path / "copying" / "killed"
    found = search(path, undisturbed)
    decisions = [event for event in read_trace(undisturbed / "trace.jsonl") if event["event"] == "decision"]
    copies = [action for event in decisions for action in event["actions"]]
    assert len(copies) == 1
    assert copies[0].startswith("+")
    assert found.predicted_latency_ms <= 1.2 * base_ms
    assert exit_code(search_until_training, path, killed, 1) == -signal.SIGKILL
    assert exit_code(search, path, killed) == 0
    same_result(undisturbed, killed)
