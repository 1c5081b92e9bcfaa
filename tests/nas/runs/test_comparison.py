"""A search's start beside its result: paired by prompt, from the scores that are stored."""

from pathlib import Path
from typing import Any

import pytest

from nas.runs.comparison import Comparison, compared
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts

PROMPTS = tuple(Prompt(caption=f"picture {number}", noise_seed=number) for number in range(4))
BASE, FOUND = [0.5, 0.6, 0.7, 0.8], [0.4, 0.6, 0.5, 0.7]


def interval(mean: float, half: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - half, "high": mean + half, "num_prompts": 4, "confidence": 0.95}


def action(round_number: int, half: float) -> dict[str, Any]:
    return {
        "event": "evaluation",
        "round": round_number,
        "action": "-x",
        "arch_id": "a1",
        "d_clip": interval(0.1, half),
    }


EVENTS: list[dict[str, Any]] = [
    {"event": "search_started", "digests": {"protocol": "p0"}},
    {"event": "trained", "round": 0, "weights_digest": "w0"},
    {"event": "evaluation", "round": 0, "action": None, "arch_id": "a0", "clip": interval(0.65, 0.1)},
    action(0, 0.05),
    action(0, 0.2),
    {"event": "trained", "round": 1, "weights_digest": "w1"},
    {"event": "evaluation", "round": 1, "action": None, "arch_id": "a1", "clip": interval(0.55, 0.1)},
    action(1, 0.01),
]


def keep(store: ScoreStore, arch_id: str, weights: str, scores: list[float], *, protocol: str = "p0") -> None:
    """Keep scores in chunks of two, the last chunk first."""
    for start in (2, 0):
        chunk = PROMPTS[start : start + 2]
        key = ScoreKey(
            weights_digest=weights, arch_id=arch_id, protocol_digest=protocol, prompts_digest=digest_of_prompts(chunk)
        )
        store.put(key, prompts=chunk, scores=scores[start : start + 2])


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    """A store that other searches use too."""
    store = ScoreStore(tmp_path / "scores")
    keep(store, "a0", "w0", BASE)
    keep(store, "a0", "w0", [9.0, 9.0, 9.0, 9.0], protocol="p1")
    keep(store, "a1", "w0", [9.0, 9.0, 9.0, 9.0])
    return store


def compare(store: ScoreStore, *, weights: str = "w1", higher_is_better: bool = True) -> Comparison:
    return compared(
        EVENTS, store=store, arch_id="a1", weights_digest=weights, score="clip", higher_is_better=higher_is_better,
        confidence=0.95,
    )  # fmt: skip


def test_losses_are_those_of_each_prompt(store: ScoreStore) -> None:
    keep(store, "a1", "w1", FOUND)
    comparison = compare(store)
    assert comparison.loss is not None
    assert comparison.loss.mean == pytest.approx((0.1 + 0.0 + 0.2 + 0.1) / 4)
    assert comparison.loss.num_prompts == 4
    assert comparison.loss.high - comparison.loss.mean < 0.15, "narrower than unpaired ones, which differ by 0.3"
    assert not comparison.same_weights
    other_way = compare(store, higher_is_better=False).loss
    assert other_way is not None
    assert other_way.mean == pytest.approx(-0.1)


def test_what_the_store_lacks_is_not_made_up(store: ScoreStore) -> None:
    assert compare(store).loss is None
    assert compare(store, weights="w0").same_weights


def test_actions_of_the_first_round_that_surely_lose_something_are_counted(store: ScoreStore) -> None:
    comparison = compare(store)
    assert (comparison.num_actions, comparison.num_told_apart) == (2, 1)
