"""Intervals: against known numbers, against scipy, and by counting how often they cover the truth."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.scores.intervals import chance_above, losses, mean_interval, paired_loss

SCORES = st.lists(st.floats(-1, 1), min_size=2, max_size=30)


def test_a_textbook_interval() -> None:
    # 1..5: mean 3, standard deviation sqrt(2.5), t(0.975, 4) = 2.776445.
    interval = mean_interval([1, 2, 3, 4, 5])
    half = 2.776445 * math.sqrt(2.5 / 5)
    assert (interval.mean, interval.num_prompts, interval.confidence) == (3, 5, 0.95)
    assert (interval.low, interval.high) == pytest.approx((3 - half, 3 + half), rel=1e-6)


@given(SCORES, st.floats(0.5, 0.999))
def test_the_interval_is_students(values: list[float], confidence: float) -> None:
    interval = mean_interval(values, confidence=confidence)
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    if error > 1e-9:
        expected = stats.t.interval(confidence, len(values) - 1, loc=np.mean(values), scale=error)
        assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert interval.error == pytest.approx(error, rel=1e-6)
    assert interval.low <= interval.mean <= interval.high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0.3, 0.1, size=(2000, 8))
    covered = [i.low <= 0.3 <= i.high for i in (mean_interval(sample, confidence=0.9) for sample in samples)]
    assert np.mean(covered) == pytest.approx(0.9, abs=3 * math.sqrt(0.9 * 0.1 / 2000))


def test_one_prompt_says_nothing_about_the_spread() -> None:
    interval = mean_interval([0.7])
    assert (interval.low, interval.mean, interval.high) == (-math.inf, 0.7, math.inf)
    assert math.isnan(interval.error)


def test_equal_scores_leave_no_doubt() -> None:
    interval = mean_interval([0.5, 0.5, 0.5])
    assert interval.low == interval.high == 0.5


@given(SCORES, st.floats(-0.5, 0.5))
def test_pairing_removes_what_makes_captions_easy_or_hard(before: list[float], loss: float) -> None:
    interval = paired_loss(before, [score - loss for score in before])
    assert (interval.mean, interval.low, interval.high) == pytest.approx((loss, loss, loss), abs=1e-12)


def test_a_loss_is_positive_when_scores_fall() -> None:
    assert paired_loss([0.8, 0.9], [0.7, 0.6]).mean == pytest.approx(0.2)
    assert losses([0.8, 0.9], [0.7, 0.6]) == pytest.approx([0.1, 0.3])


def test_of_a_score_of_which_less_is_better_what_was_added_is_lost() -> None:
    before, after = [0.8, 0.9], [0.7, 0.6]
    assert paired_loss(after, before, higher_is_better=False) == paired_loss(before, after)


def test_unpaired_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="same prompts, but got 3 and 2"):
        paired_loss([1, 2, 3], [1, 2])


def test_no_scores_have_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one score, but got none"):
        mean_interval([])


@pytest.mark.parametrize("confidence", [0, 1, -0.1, 1.5])
def test_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(ValueError, match=f"`confidence` must lie between 0 and 1, but got {confidence}"):
        mean_interval([1, 2], confidence=confidence)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_scores_are_finite(broken: float) -> None:
    with pytest.raises(ValueError, match="1 of 3 are not"):
        mean_interval([1, broken, 2])


def test_the_chance_that_a_mean_is_above_nothing() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 1.0, 30)
    draws = values[rng.integers(0, 30, (20_000, 30))].mean(axis=1)
    assert chance_above(values.tolist()) == pytest.approx((draws > 0).mean(), abs=0.02)
    assert chance_above((-values).tolist()) == pytest.approx(1 - chance_above(values.tolist()))
    assert [chance_above([v, v]) for v in (-1.0, 0.0, 2.0)] == [0.0, 0.5, 1.0]
    assert np.isnan([chance_above([]), chance_above([1.0])]).all()
    assert np.isnan([chance_above([end, 1.0]) for end in (np.inf, np.nan, 1e308)]).all(), "nor where sums overflow"
