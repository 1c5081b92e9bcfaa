"""What holds of every distance: a set is near itself, order does not matter, too few are refused, intervals cover."""

import numpy as np
import pytest

from nas.metrics.estimate import Features, MetricError, difference, jackknifed, mean_estimate
from nas.metrics.registry import METRICS

DISTANCES = ("kid", "cmmd", "mind", "fid")


@pytest.mark.parametrize("name", DISTANCES)
def test_a_set_is_at_no_distance_from_itself_and_far_from_another(
    name: str, features: tuple[Features, Features]
) -> None:
    made, real = features
    itself, another = METRICS[name].of(made, made).value, METRICS[name].of(made, real).value
    assert itself < 1e-9 < another  # an estimate without bias is below 0 where pictures are the very same
    assert abs(itself) < another * 2


@pytest.mark.parametrize("name", ["precision", "recall"])
def test_a_set_lies_in_its_own_manifold(name: str, features: tuple[Features, Features]) -> None:
    assert METRICS[name].of(features[0], features[0]).value == 1
    assert METRICS[name].of(features[0], features[0] + 100).value == 0


@pytest.mark.parametrize("name", METRICS)
def test_order_does_not_matter(name: str, features: tuple[Features, Features]) -> None:
    made, real = features
    shuffled = METRICS[name].of(made[::-1], np.roll(real, 7, axis=0))
    assert shuffled.value == pytest.approx(METRICS[name].of(made, real).value, rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_it_does_not_matter_how_the_axes_lie(name: str, features: tuple[Features, Features]) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))
    turned = METRICS[name].of(features[0] @ turn, features[1] @ turn)
    tolerance = 0.05 if name == "mind" else 1e-9  # which is of random directions
    assert turned.value == pytest.approx(METRICS[name].of(*features).value, rel=tolerance)


def test_too_few_pictures_are_refused_with_the_number() -> None:
    few = np.random.default_rng(0).standard_normal((40, 40))
    with pytest.raises(MetricError, match="FID of features with 40 dimensions needs at least 41 generated and 41 real"):
        METRICS["fid"].of(few, np.tile(few, (2, 1)))
    with pytest.raises(
        MetricError, match=r"KID .* needs at least 10 generated and 10 real pictures, but there are 9 and"
    ):
        METRICS["kid"].of(few[:9], few)
    assert METRICS["fid"].of(np.tile(few, (2, 1)), np.tile(few, (2, 1))).value == pytest.approx(0, abs=1e-6)


def test_features_that_are_no_numbers_are_refused() -> None:
    good = np.ones((12, 3))
    with pytest.raises(MetricError, match="must be finite"):
        METRICS["kid"].of(good, good * np.nan)
    with pytest.raises(MetricError, match=r"rows of one length, but got shapes \(12, 3\) and \(12, 2\)"):
        METRICS["kid"].of(good, good[:, :2])


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.random.default_rng(0).standard_normal(20)  # a group each
    found = mean_estimate(values)
    assert found.high - found.value == pytest.approx(2.093 * values.std(ddof=1) / np.sqrt(20), rel=1e-3)
    assert found.low == pytest.approx(2 * found.value - found.high)


def test_intervals_cover_the_truth() -> None:
    """Of sets of one kind, whose true distance is 0: about nineteen times in twenty."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(40):
        found = METRICS["kid"].of(rng.standard_normal((60, 3)), rng.standard_normal((60, 3)))
        covered += found.low <= 0 <= found.high
    assert covered >= 35


def test_what_pairs_share_cancels_in_their_difference() -> None:
    rng = np.random.default_rng(3)
    hard = rng.standard_normal(200) * 5
    first, second = mean_estimate(hard + 1), mean_estimate(hard + rng.standard_normal(200) * 0.1)
    found = difference(first, second)
    assert found.value == pytest.approx(1, abs=0.05)
    assert found.high - found.low < 0.1 < first.high - first.low
    with pytest.raises(MetricError, match="same captions"):
        difference(first, jackknifed(0.0, (1.0, 2.0), num_made=2))
