"""Scores on disk: the same bits again, once and for all, for the same prompts only."""

import os
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.evaluation.validation_set import Prompt
from nas.score_store import ScoreKey, ScoreStore, digest_of

KEY = ScoreKey(weights_digest="w0", arch_id="a0", protocol_digest="p0", chunk=0)
PROMPTS = (Prompt(caption="a red ring", noise_seed=1), Prompt(caption="a blue cross", noise_seed=2))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_scores_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, scores: list[float]) -> None:
    store = ScoreStore(tmp_path_factory.mktemp("scores"))
    store.put(KEY, prompts=PROMPTS, scores=scores)
    back = store.get(KEY, prompts=PROMPTS)
    assert back is not None
    assert np.array(back).tobytes() == np.array(scores).tobytes()


def test_nothing_is_found_before_it_is_put(tmp_path: Path) -> None:
    assert ScoreStore(tmp_path).get(KEY, prompts=PROMPTS) is None


def test_the_first_value_stays(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    store.put(KEY, prompts=PROMPTS, scores=[0.8, 0.9])
    assert ScoreStore(tmp_path).get(KEY, prompts=PROMPTS) == (0.1, 0.2)


@pytest.mark.parametrize("field", [field.name for field in fields(ScoreKey)])
def test_every_part_of_the_key_counts(tmp_path: Path, field: str) -> None:
    store = ScoreStore(tmp_path)
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    other = ScoreKey(**asdict(KEY) | {field: 1 if field == "chunk" else "other"})
    assert store.get(other, prompts=PROMPTS) is None


@pytest.mark.parametrize(
    "prompts",
    [PROMPTS[::-1], PROMPTS[:1], (PROMPTS[0], replace(PROMPTS[1], noise_seed=3))],
    ids=["another order", "fewer", "other noise"],
)
def test_scores_of_other_prompts_are_not_returned(tmp_path: Path, prompts: tuple[Prompt, ...]) -> None:
    store = ScoreStore(tmp_path)
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    assert store.get(KEY, prompts=prompts) is None


def test_half_a_part_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    store = ScoreStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    assert store.get(KEY, prompts=PROMPTS) is None
    assert store.frame().empty
    store.put(KEY, prompts=PROMPTS, scores=[0.3, 0.4])
    assert store.get(KEY, prompts=PROMPTS) == (0.3, 0.4)


def test_the_frame_holds_a_row_per_prompt_with_all_it_was_scored_under(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    store.put(replace(KEY, chunk=1), prompts=PROMPTS[:1], scores=[0.3])
    frame = store.frame()
    assert list(frame) == ["weights_digest", "arch_id", "protocol_digest", "chunk", "prompt_id", "caption", "clip"]
    assert list(zip(frame["caption"], frame["chunk"], frame["clip"], strict=True)) == [
        ("a red ring", 0, 0.1),
        ("a blue cross", 0, 0.2),
        ("a red ring", 1, 0.3),
    ]


def test_a_digest_depends_on_content_not_on_order() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})
