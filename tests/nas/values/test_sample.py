"""Moderated variances: what a few prompts tell of a contestant's spread, drawn towards what the others' tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.scores.intervals import mean_interval
from nas.values.sample import Losses, moderated

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int, *, num: int = 400, degrees: int = 7, prior: float = 6.0, common: float = 0.3) -> np.ndarray:
    """Variances of samples whose true variances are common * prior / chi-square(prior)."""
    rng = np.random.default_rng(seed)
    true = common * prior / rng.chisquare(prior, num)
    return true * rng.chisquare(degrees, num) / degrees


def test_moderation_finds_the_prior_that_made_the_variances() -> None:
    seen = drawn(0, num=20_000)
    blended = moderated(seen, degrees=np.full(len(seen), 7.0))
    slope, offset = np.polyfit(seen, blended, 1)
    assert slope == pytest.approx(7 / (6 + 7), rel=0.05)  # d / (d0 + d)
    assert offset == pytest.approx(6 * 0.3 / (6 + 7), rel=0.05)  # d0 s0^2 / (d0 + d)


@given(SEEDS, st.floats(1e-6, 1e6))
def test_the_unit_of_the_loss_does_not_matter(seed: int, unit: float) -> None:
    seen = drawn(seed, num=12)
    degrees = np.random.default_rng(seed).integers(1, 30, 12).astype(float)
    assert moderated(unit**2 * seen, degrees=degrees) == pytest.approx(unit**2 * moderated(seen, degrees=degrees))


@given(SEEDS)
def test_every_variance_moves_towards_one_and_none_beyond_it(seed: int) -> None:
    seen = drawn(seed, num=12)
    moved = moderated(seen, degrees=np.full(12, 7.0))
    assert (np.argsort(moved, kind="stable") == np.argsort(seen, kind="stable")).all() or np.ptp(moved) == 0
    assert np.ptp(moved) <= np.ptp(seen)


def test_what_is_alike_is_taken_for_equal_and_what_is_not_for_its_own() -> None:
    alike = np.full(20, 2.0)
    assert moderated(alike, degrees=np.full(20, 5.0)) == pytest.approx(alike)
    decades = np.float64(10.0) ** np.arange(-8, 2, dtype=np.float64)
    assert moderated(decades, degrees=np.full(10, 63.0)) == pytest.approx(decades, rel=0.05, abs=1e-5)


def test_one_prompt_gets_the_spread_of_the_others_and_nobody_s_spread_is_none() -> None:
    seen = np.array([1.0, 1.1, 0.9, np.nan])
    assert moderated(seen, degrees=np.array([9.0, 9.0, 9.0, 0.0]))[3] == pytest.approx(1.0, rel=0.05)
    assert (moderated(np.full(3, np.nan), degrees=np.zeros(3)) == 0).all()
    assert (moderated(np.zeros(3), degrees=np.full(3, 4.0)) == 0).all()


def test_a_clean_record_is_no_certainty_where_others_scatter() -> None:
    seen = np.array([0.0, 1e-4, 1e-3, 1e-2])
    assert moderated(seen, degrees=np.full(4, 7.0))[0] > 0


def test_sizes_say_in_which_proportion_spreads_are_expected() -> None:
    sizes = np.array([0.01, 0.1, 1.0, 10.0])
    blended = moderated(sizes**2, degrees=np.full(4, 3.0), sizes=sizes)
    assert blended == pytest.approx(sizes**2)
    hidden = moderated(np.array([*(sizes[:3] ** 2), np.nan]), degrees=np.array([9.0, 9, 9, 0]), sizes=sizes)
    assert hidden[3] == pytest.approx(100.0)


@given(SEEDS, st.integers(2, 40), st.floats(0.5, 0.99))
def test_an_interval_gives_back_its_standard_error(seed: int, num: int, confidence: float) -> None:
    values = np.random.default_rng(seed).normal(size=num)
    interval = mean_interval(values.tolist(), confidence=confidence)
    assert interval.error == pytest.approx(stats.sem(values))
    known = Losses.of([interval], saved_ms=[2.0])
    assert known.variances[0] == pytest.approx(values.var(ddof=1))
    assert known.errors[0] == pytest.approx(stats.sem(values))


def test_one_prompt_tells_no_error() -> None:
    assert np.isnan(mean_interval([0.3]).error)
    assert Losses.of([mean_interval([0.3])], saved_ms=[1.0]).errors[0] == 0
