"""Decisions survive what another CPU, batch size or thread count does to scores: relative noise of 1e-4 moves none.

`removal_scores.npz` holds the CLIP scores of the bundled model's base and of its 38 removals on 128 held-out captions
(four DDIM steps, guidance 2), as `python -m experiments.decisions.record` makes them. `three_machines.npz` holds
those of the first round of `experiments/demo.yaml` on an AMD EPYC (AVX2, torch 2.14), an Intel Xeon (AVX-512, torch
2.11) and an NVIDIA H200 (with `execution.device=cuda robust_training.device=cuda`), each after its own training, and
what all three searches removed then.
"""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.algorithms.settings import EvolvingSettings
from nas.racing.opportunity import OpportunityRace
from nas.racing.settings import RacingSettings
from nas.values.group import Choice
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Losses
from nas.values.weighing import values

NOISE = 1e-4
RULE = EvolvingSettings().value_rule
with np.load(Path(__file__).parent / "removal_scores.npz") as file:
    SCORES, SAVED_MS = file["scores"].astype(np.float64), tuple(file["saved_ms"].astype(np.float64)[1:].tolist())


def decided(scores: np.ndarray, saved_ms: tuple[float, ...], *, num: int, rule: ValueRule = RULE) -> frozenset[int]:
    """The group by scores (1 + K, n), the base's first."""
    losses = scores[0] - scores[1:]
    known = Losses(
        means=losses.mean(axis=1),
        variances=losses.var(axis=1, ddof=1),
        nums=np.full(len(losses), float(losses.shape[1])),
        saved_ms=np.array(saved_ms),
    )
    choice = Choice(saved_ms=saved_ms, num=num, larger_first=rule.breaks_ties)
    return frozenset(choice.group(values(known, rule)))


def perturbed(scores: np.ndarray, seed: int) -> np.ndarray:
    return scores * (1 + NOISE * np.random.default_rng(seed).standard_normal(scores.shape))


@pytest.mark.parametrize("num", [4, 7, 14])
@pytest.mark.parametrize("num_prompts", [10, 20, 48, 128])
def test_the_bundled_model_s_decisions_do_not_move(num_prompts: int, num: int) -> None:
    scores = SCORES[:, :num_prompts]
    group = decided(scores, SAVED_MS, num=num)
    assert all(decided(perturbed(scores, seed), SAVED_MS, num=num) == group for seed in range(20))


def test_without_an_indifference_they_would() -> None:
    """What the law is worth: the free ones' order is the noise's, and so is who of them finds a place."""
    scores, bare = SCORES[:, :10], ValueRule(rule=RULE.rule, indifference=0.0)
    group = decided(scores, SAVED_MS, num=4, rule=bare)
    assert any(decided(perturbed(scores, seed), SAVED_MS, num=4, rule=bare) != group for seed in range(20))


@pytest.mark.parametrize("rule", [Rule.POSTERIOR, Rule.UPPER_BOUND])
@given(seed=st.integers(0, 2**32 - 1))
def test_nor_do_those_about_many_harmless_blocks(rule: Rule, seed: int) -> None:
    """Sixteen that do nothing and eight that surely do something, of whatever sizes: noise chooses none of them."""
    rng = np.random.default_rng(seed)
    spread = np.concatenate([10 ** rng.uniform(-6, -5, 16), 0.02 * np.ones(8)])[:, None]
    losses = np.concatenate([np.zeros(16), 0.1 + 0.05 * np.arange(8)])[:, None] + spread * rng.normal(size=(24, 20))
    base = 0.8 + 0.1 * rng.random(20)
    scores, saved_ms = np.vstack([base, base - losses]), tuple(rng.uniform(0.5, 2, 24).tolist())
    valued = ValueRule(rule=rule, indifference=RULE.indifference)
    group = decided(scores, saved_ms, num=9, rule=valued)
    assert decided(perturbed(scores, seed), saved_ms, num=9, rule=valued) == group
    assert group == frozenset(sorted(range(16), key=lambda i: -saved_ms[i])[:9])


def raced(
    scores: np.ndarray, saved_ms: tuple[float, ...] = SAVED_MS, *, num: int = 7, chunk_size: int = 8
) -> tuple[frozenset[int], dict[int, int]]:
    losses = scores[0] - scores[1:]
    race = OpportunityRace(
        range(len(losses)),
        choice=Choice(saved_ms=saved_ms, num=num),
        num_prompts=losses.shape[1],
        chunk_size=chunk_size,
        rule=RULE,
        settings=RacingSettings(min_prompts=2 * chunk_size),
    )
    while not race.finished:
        race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
    return frozenset(race.verdict.selected), dict(race.verdict.num_prompts)


def test_nor_does_a_race_for_them() -> None:
    group, nums = raced(SCORES)
    assert sum(nums.values()) < 0.9 * 38 * 128, "it spares prompts"
    assert all(raced(perturbed(SCORES, seed)) == (group, nums) for seed in range(3))


def test_three_machines_choose_alike() -> None:
    with np.load(Path(__file__).parent / "three_machines.npz") as file:
        machines, chosen = file["scores"].astype(np.float64), set(file["chosen"].tolist())
        saved_ms = tuple(file["saved_ms"].astype(np.float64)[1:].tolist())
    apart = np.abs(machines[1:] - machines[0]).max(axis=(1, 2))
    assert apart[0] > 1e-5, "another CPU's scores are others"
    assert apart[1] > 1e-3, "and a GPU's by far"
    for scores in machines:
        assert decided(scores, saved_ms, num=len(chosen)) == chosen
        assert raced(scores, saved_ms, num=len(chosen), chunk_size=10)[0] == chosen
