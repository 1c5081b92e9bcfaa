"""Races that end once a wrong choice would cost nothing: what they ask for, when they end, and what they choose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.racing.allocation import by_regret, everyone, ocba_m
from nas.racing.opportunity import OpportunityRace
from nas.racing.settings import RacingSettings
from nas.values.group import Choice
from nas.values.rule import Rule, ValueRule
from search_spaces.files.user_error import UserError

SEEDS = st.integers(0, 2**32 - 1)
RULE = ValueRule(rule=Rule.POSTERIOR, indifference=0.0005)
NUM, NUM_PROMPTS = 10, 64


def losses_of(seed: int) -> np.ndarray:
    """Ten contestants from harmless to vital."""
    rng = np.random.default_rng(seed)
    spread = 10 ** rng.uniform(-4, -1, (NUM, 1))
    return 3 * spread**2 + spread * rng.normal(size=(NUM, NUM_PROMPTS))


def race_of(losses: np.ndarray, *, choice: Choice | None = None, **options: object) -> OpportunityRace[int]:
    given_ = {
        "choice": choice or Choice(saved_ms=(1.0,) * NUM, num=3),
        "num_prompts": losses.shape[1],
        "chunk_size": 4,
        "rule": RULE,
        "settings": RacingSettings(min_prompts=8),
    }
    return OpportunityRace(range(len(losses)), **(given_ | options))


def run(race: OpportunityRace[int], losses: np.ndarray) -> OpportunityRace[int]:
    while not race.finished:
        race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
    return race


@pytest.mark.parametrize("allocation", [by_regret, ocba_m, everyone])
@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_race_asks_for_whole_chunks_and_ends_by_its_tolerance_or_with_all(allocation: object, seed: int) -> None:
    losses = losses_of(seed)
    race = race_of(losses, allocation=allocation)
    assert dict(race.wanted) == dict.fromkeys(range(NUM), 8)
    had = dict.fromkeys(range(NUM), 0)
    while not race.finished:
        assert set(race.wanted) <= set(race.undecided)
        for index, num in race.wanted.items():
            assert num % 4 == 0
            assert had[index] < num <= NUM_PROMPTS
            had[index] = num
        race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
    verdict = race.verdict
    assert verdict.num_prompts == had
    assert len(verdict.selected) == 3
    unfinished = [index for index in range(NUM) if had[index] < NUM_PROMPTS]
    assert race.expected_loss <= RacingSettings().tolerance or not unfinished or allocation is not everyone


@settings(max_examples=20)
@given(seed=SEEDS)
def test_more_tolerance_never_needs_more_prompts(seed: int) -> None:
    losses = losses_of(seed)
    spent = [
        sum(
            run(
                race_of(losses, settings=RacingSettings(min_prompts=8, tolerance=t)), losses
            ).verdict.num_prompts.values()
        )
        for t in (0.0, 0.001, 0.01, 1.0)
    ]
    assert spent == sorted(spent, reverse=True)
    assert spent[-1] == 8 * NUM


def test_the_clear_ones_are_asked_no_more() -> None:
    """Two that differ in doubt get prompts; three that surely stay and five that surely go do not."""
    rng = np.random.default_rng(0)
    means = np.array([0.0, 0.0, 0.05, 0.051, *[0.9] * 6])
    spread = np.array([1e-5, 1e-5, 0.05, 0.05, *[0.1] * 6])
    losses = means[:, None] + spread[:, None] * rng.normal(size=(NUM, NUM_PROMPTS))
    race = run(race_of(losses, settings=RacingSettings(min_prompts=8, tolerance=1e-5)), losses)
    nums = race.verdict.num_prompts
    assert {0, 1} < set(race.verdict.selected)
    assert nums[2] == nums[3] == NUM_PROMPTS
    assert all(nums[index] == 8 for index in (0, 1, 4, 5, 6, 7, 8, 9))


def test_a_group_that_ends_early_is_judged_as_it_ends() -> None:
    losses = losses_of(1)
    choice = Choice(saved_ms=(1.0,) * NUM, num=5, needed_ms=1.5)
    assert len(run(race_of(losses, choice=choice), losses).verdict.selected) == 2


def test_contestants_that_exclude_each_other_are_not_chosen_together() -> None:
    losses = losses_of(2)
    free = run(race_of(losses), losses).verdict.selected
    apart = Choice(saved_ms=(1.0,) * NUM, num=3, excludes=frozenset({(free[0], free[1])}))
    assert len(set(run(race_of(losses, choice=apart), losses).verdict.selected) & set(free[:2])) == 1


def test_copies_go_to_the_most_valuable() -> None:
    rng = np.random.default_rng(0)
    losses = np.linspace(0, 0.5, NUM)[:, None] + 0.01 * rng.normal(size=(NUM, NUM_PROMPTS))
    choice = Choice(saved_ms=(1.0,) * NUM, num=1, highest=True)
    race = run(race_of(losses, choice=choice), losses)
    assert race.verdict.selected == (NUM - 1,)
    assert sum(race.verdict.num_prompts.values()) == 8 * NUM


def test_a_race_checks_what_it_is_about_and_what_it_is_told() -> None:
    losses = losses_of(0)
    with pytest.raises(UserError, match="`chunk_size` of a race must be at least 1, but got 0"):
        race_of(losses, chunk_size=0)
    race = race_of(losses)
    with pytest.raises(UserError, match="9 are missing"):
        race.observe({0: [0.0] * 8})
    with pytest.raises(UserError, match="the first 8 prompts"):
        race.observe({index: [0.0] * 7 for index in range(NUM)})
    with pytest.raises(UserError, match="must be finite"):
        race.observe({index: [float("nan")] * 8 for index in range(NUM)})
