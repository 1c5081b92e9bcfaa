"""How often races err on losses of many shapes, and what they save."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from nas.racing.comparisons import Tolerance
from nas.racing.settings import RacingSettings
from tests.leisure import some
from tests.nas.racing.simulated import (
    FAMILIES,
    Family,
    correlated,
    decades,
    lognormal,
    race,
    rare,
    simulate,
    zero_inflated,
)

ALLOWED = 1 - RacingSettings().confidence
NUM_RACES = 60  # the fewest that can show it, with not one error among them


def most_errors(share: float, /, *, num_races: int = NUM_RACES) -> float:
    """The highest true rate of errors that shows so few in so many races by a chance of 5 % (Clopper and Pearson)."""
    errors = round(share * num_races)
    return float(stats.beta.ppf(0.95, errors + 1, num_races - errors))


def test_a_single_error_would_show_too_little() -> None:
    assert most_errors(0.0) == pytest.approx(1 - 0.05 ** (1 / NUM_RACES))
    assert most_errors(0.0) <= ALLOWED < most_errors(1 / NUM_RACES)
    assert most_errors(2 / 124, num_races=124) <= ALLOWED < most_errors(2 / 124, num_races=123)


@pytest.mark.parametrize("num_prompts", some([32, 128, 512]))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_race_seldom_chooses_another_group_than_exhaustive_scoring(family: Family, num_prompts: int) -> None:
    num_races = 124 if family is zero_inflated else NUM_RACES  # it errs at times: two of 124 are as good as none of 60
    assert most_errors(simulate(family, num_prompts, num_races=num_races).errors, num_races=num_races) <= ALLOWED


@pytest.mark.parametrize("family", [correlated, lognormal, decades])
def test_nor_another_order_when_that_matters(family: Family) -> None:
    assert most_errors(simulate(family, 128, num_races=NUM_RACES, ordered=True).errors) <= ALLOWED


def test_what_is_lost_to_a_tolerance_stays_within_it() -> None:
    rng, worse = np.random.default_rng(0), 0
    tolerance = Tolerance(latency_error=0.05, indifference=0.001)
    for _ in range(NUM_RACES):
        saved_ms, losses = rng.lognormal(0, 0.7, 20), decades(rng, 20, 256)
        verdict = race(losses, saved_ms, latency_error=0.05, settings=RacingSettings(indifference=0.001))
        chosen = np.array(verdict.selected)
        values = losses.mean(axis=1) / saved_ms
        displaced = np.setdiff1d(np.arange(20), chosen)
        excess = values[chosen][:, None] - values[displaced][None, :]
        worse += bool((excess > tolerance.of_values(values, saved_ms=saved_ms)[np.ix_(chosen, displaced)]).any())
    assert most_errors(worse / NUM_RACES) <= ALLOWED


def test_nothing_is_sure_of_what_three_prompts_in_a_hundred_show() -> None:
    """The limit that docs/racing.md states: a sample that misses every failure looks like a perfect one."""
    assert simulate(rare, 512, num_races=40).errors > 0.05


def test_more_prompts_are_the_better_raced() -> None:
    shares = [simulate(decades, num_prompts, num_races=30).share for num_prompts in (32, 128, 512, 2048)]
    assert all(later < earlier for earlier, later in pairwise(shares))
    assert shares[-1] < 0.2


def test_more_indifference_needs_fewer_pictures() -> None:
    shares = [simulate(decades, 256, num_races=30, indifference=e).share for e in (1e-5, 1e-4, 1e-3, 1e-2)]
    assert all(more <= less for less, more in pairwise(shares))
