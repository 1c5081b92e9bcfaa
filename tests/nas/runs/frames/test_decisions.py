"""How sure a decision was: the best that was not taken, by how much, and how likely, from paired scores."""

import json
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.runs.frames.decisions import inverse
from nas.runs.run import Run, open_run
from nas.scores.intervals import mean_interval
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts

NUM = 12
PROMPTS = tuple(Prompt(caption=f"caption {i}", noise_seed=i) for i in range(NUM))
BEFORE = np.linspace(0.5, 0.9, NUM)
SAVED = {"-resnet[mid,0]": 2.0, "-resnet[mid,1]": 1.0, "-cross_attention[mid,0]": 1.0, "-resnet[up.0,0]": 0.0}
ALL = tuple(SAVED)


def lost(action: str) -> np.ndarray:
    """What an action loses on each prompt."""
    rng = np.random.default_rng(ALL.index(action))
    return np.asarray(0.02 * (1 + ALL.index(action)) + 0.01 * rng.standard_normal(NUM))


def written(folder: Path, executed: list[str], *, higher: bool = True, stop: str | None = None) -> Run:
    """A run of one round that executed this."""
    folder.mkdir()
    (folder / "config.yaml").write_text("{}\n", encoding="utf-8")
    sign, score = (1, "clip") if higher else (-1, "blur")
    told: dict[str, Any] = {} if higher else {"score": {"name": score, "unit": "", "higher_is_better": False}}
    events: list[dict[str, Any]] = [
        {"event": "search_started", "target_latency_ms": 5.0, "base_latency_ms": 8.0, "base": {}}
        | {"digests": {"protocol": "p0"}}
        | told,
        {"event": "trained", "round": 0, "iterations": 0, "recovering": False, "weights_digest": "w0"},
        {"event": "evaluation", "round": 0, "action": None, "arch_id": "base", "clip": interval(BEFORE)}
        | {"predicted_latency_ms": 8.0, "num_params": 9},
    ]
    for action, ms in SAVED.items():
        loss = lost(action)
        events.append(
            {"event": "evaluation", "round": 0, "action": action, "arch_id": action[1:]}
            | {"clip": interval(BEFORE - sign * loss), "d_clip": interval(loss), "d_latency_ms": ms}
            | {"value": float(loss.mean() / ms) if ms else None}
        )
    events.append({"event": "decision", "round": 0, "actions": executed, "stop": stop})
    (folder / "trace.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    store = ScoreStore(folder / "scores")
    for arch_id, scores in (("base", BEFORE), *((action[1:], BEFORE - sign * lost(action)) for action in ALL)):
        for part in (slice(0, 8), slice(8, NUM)):
            key = ScoreKey(
                weights_digest="w0", arch_id=arch_id, protocol_digest="p0",
                prompts_digest=digest_of_prompts(PROMPTS[part]),
            )  # fmt: skip
            store.put(key, prompts=PROMPTS[part], scores=scores[part].tolist(), score=score)
    return open_run(folder)


def interval(values: np.ndarray) -> dict[str, Any]:
    found = mean_interval(values.tolist())
    return {"mean": found.mean, "low": found.low, "high": found.high, "num_prompts": NUM, "confidence": 0.95}


def bootstrapped(leads: np.ndarray) -> float:
    rng = np.random.default_rng(0)
    return float((leads[rng.integers(0, NUM, (20_000, NUM))].mean(axis=1) > 0).mean())


@pytest.mark.parametrize("higher", [True, False])
def test_a_removal_stands_beside_the_cheapest_that_stayed(higher: bool, tmp_path: Path) -> None:
    decisions = written(tmp_path / "run", [ALL[0]], higher=higher).decisions()
    (row,) = decisions.to_dict("records")
    assert (row["round"], row["order"], row["action"], row["stop"]) == (0, 0, ALL[0], None)
    assert row["runner_up"] == ALL[1]
    values = {action: lost(action) / SAVED[action] for action in ALL[:2]}
    leads = values[ALL[1]] - values[ALL[0]]
    assert row["margin"] == pytest.approx(leads.mean())
    assert row["chance"] == pytest.approx(bootstrapped(leads), abs=0.02)
    assert 0.9 < row["chance"] < 1


def test_what_was_executed_beside_it_is_no_runner_up(tmp_path: Path) -> None:
    decisions = written(tmp_path / "run", list(ALL[:2])).decisions()
    assert decisions["order"].tolist() == [0, 1]
    assert decisions["runner_up"].tolist() == [ALL[2], ALL[2]]


def test_an_action_that_was_worse_than_what_stayed_says_so(tmp_path: Path) -> None:
    """As where a race or a law of the space decides."""
    (row,) = written(tmp_path / "run", [ALL[2]]).decisions().to_dict("records")
    assert row["runner_up"] == ALL[0]
    assert row["margin"] < 0
    assert row["chance"] < 0.1


def test_a_copy_stands_beside_the_block_that_is_missed_next_most(tmp_path: Path) -> None:
    copy = "+cross_attention[mid,0]"
    (row,) = written(tmp_path / "run", [copy]).decisions().to_dict("records")
    assert (row["action"], row["runner_up"]) == (copy, "+resnet[mid,1]")
    assert row["d_clip"] == pytest.approx(lost(ALL[2]).mean())
    assert row["margin"] == pytest.approx(lost(ALL[2]).mean() - lost(ALL[1]).mean())
    assert row["chance"] == pytest.approx(bootstrapped(lost(ALL[2]) - lost(ALL[1])), abs=0.02)


def test_a_stop_has_a_row_without_an_action(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "run", [], stop="converged").decisions().to_dict("records")
    assert (row["action"], row["runner_up"], row["stop"]) == (None, None, "converged")
    assert isnan(row["value"])


def test_without_scores_all_but_the_chance_is_there(tmp_path: Path) -> None:
    run = written(tmp_path / "run", [ALL[0]])
    for path in (run.path / "scores").rglob("scores.jsonl"):
        path.unlink()
    (row,) = open_run(run.path).decisions().to_dict("records")
    assert row["margin"] > 0
    assert isnan(row["chance"])


def test_what_was_never_scored_is_shown_without_numbers(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "run", ["-resnet[down.0,0]"]).decisions().to_dict("records")
    assert row["action"] == "-resnet[down.0,0]"
    assert isnan(row["d_clip"])
    assert row["runner_up"] is None


def test_what_undoes_an_action_undoes_all_of_it() -> None:
    """A compound action's sign stands at every step, and its steps are undone in the other order."""
    assert inverse("-resnet[mid,0]") == "+resnet[mid,0]"
    compound = "-cross_attention[mid,0]*2&-resnet[mid,1]"
    assert inverse(compound) == "+resnet[mid,1]&+cross_attention[mid,0]*2"
    assert inverse(inverse(compound)) == compound
    assert inverse("-depth 3") == "+depth 3"
