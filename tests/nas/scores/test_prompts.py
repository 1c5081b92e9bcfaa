"""Validation sets: noise per caption, chunks."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.scores.prompts import ValidationSet
from search_spaces.files.user_error import UserError

SEED = int.from_bytes(hashlib.sha256(b"7|1|a red ring").digest()[:7], "big")
CAPTIONS = st.lists(st.sampled_from(["a red ring", "a blue cross", "a pink sky"]), min_size=1, max_size=20)


@given(CAPTIONS, st.integers(1, 8))
def test_chunks_hold_every_prompt_once(captions: list[str], chunk_size: int) -> None:
    prompts = ValidationSet.from_captions(captions, seed=0, chunk_size=chunk_size)
    chunks = [prompts.chunk(index) for index in range(prompts.num_chunks)]
    assert tuple(prompt for chunk in chunks for prompt in chunk) == prompts.prompts
    assert sorted(prompt.caption for prompt in prompts.prompts) == sorted(captions)
    assert all(len(chunk) == chunk_size for chunk in chunks[:-1])
    with pytest.raises(IndexError, match=f"chunk {len(chunks)} of {len(chunks)}"):
        prompts.chunk(len(chunks))


@given(CAPTIONS)
def test_every_prompt_has_noise_of_its_own_even_where_captions_repeat(captions: list[str]) -> None:
    prompts = ValidationSet.from_captions(captions, seed=0, chunk_size=4).prompts
    assert len({prompt.noise_seed for prompt in prompts}) == len(captions)
    assert len({prompt.prompt_id for prompt in prompts}) == len(captions)


def test_noise_belongs_to_the_caption_and_the_seed_not_to_its_place() -> None:
    def seeds(captions: list[str], *, seed: int, chunk_size: int = 2) -> dict[str, int]:
        prompts = ValidationSet.from_captions(captions, seed=seed, chunk_size=chunk_size).prompts
        return {prompt.caption: prompt.noise_seed for prompt in prompts}

    assert seeds(["a", "b", "c"], seed=0) == seeds(["c", "a", "b"], seed=0, chunk_size=3)
    assert set(seeds(["a", "b"], seed=0).values()).isdisjoint(seeds(["a", "b"], seed=1).values())
    assert seeds(["a red ring"], seed=7) == {"a red ring": SEED}, "stored scores are found by it"


def test_the_order_is_a_draw_of_the_seed_not_of_the_file() -> None:
    def order(captions: list[str], *, seed: int) -> list[str]:
        return [prompt.caption for prompt in ValidationSet.from_captions(captions, seed=seed, chunk_size=2).prompts]

    captions = [str(i) for i in range(20)]
    assert order(captions, seed=0) == order(captions[::-1], seed=0) != captions
    assert order(captions, seed=0) != order(captions, seed=1)


def test_seeds_fit_into_torchs_generator() -> None:
    prompts = ValidationSet.from_captions([str(i) for i in range(100)], seed=0, chunk_size=4).prompts
    assert all(0 <= prompt.noise_seed < 2**63 for prompt in prompts)


def test_a_set_needs_prompts_and_a_chunk_size() -> None:
    with pytest.raises(ValueError, match="at least one caption"):
        ValidationSet.from_captions([], seed=0, chunk_size=1)
    with pytest.raises(ValueError, match="`chunk_size` must be at least 1, but got 0"):
        ValidationSet.from_captions(["a"], seed=0, chunk_size=0)


def test_a_caption_with_half_of_a_letter_is_refused() -> None:
    with pytest.raises(UserError, match=r"a caption must be text, but 'caf\\udce9' holds half of a UTF-16 pair"):
        ValidationSet.from_captions(["a ring", "caf\udce9"], seed=0, chunk_size=2)
