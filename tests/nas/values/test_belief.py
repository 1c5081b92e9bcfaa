"""The posterior of true losses: closed forms against quadrature, draws against moments, and what it believes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.values.belief import TAUS, Belief
from nas.values.sample import Losses

SEEDS = st.integers(0, 2**32 - 1)


def known(losses: np.ndarray, *, distances: np.ndarray | None = None) -> Losses:
    """Of losses (K, n), each saving a millisecond."""
    num = losses.shape[1]
    return Losses(
        means=losses.mean(axis=1),
        variances=losses.var(axis=1, ddof=1),
        nums=np.full(len(losses), float(num)),
        saved_ms=np.ones(len(losses)),
        distances=distances,
    )


def decades(seed: int, *, num: int = 12, num_prompts: int = 10) -> np.ndarray:
    """Losses of blocks from harmless to vital; means grow with the square of the spread."""
    rng = np.random.default_rng(seed)
    spread = 10 ** rng.uniform(-4, -1, (num, 1))
    return 2 * spread**2 + spread * rng.normal(size=(num, num_prompts))


def by_quadrature(mean: float, error: float, width: float) -> float:
    """Expected loss where its prior is a half-normal of a width, on a fine grid."""
    x = np.linspace(0, max(mean, 0) + 12 * min(error, width), 400_001)
    logs = stats.norm(mean, error).logpdf(x) + stats.halfnorm(scale=width).logpdf(x)
    weights = np.exp(logs - logs.max())
    weights[0] /= 2  # the trapezium rule: half of the first cell lies below 0
    return float((x * weights).sum() / weights.sum())


@pytest.mark.parametrize("component", [1, 4, 8])
def test_means_are_those_of_the_written_model(component: int) -> None:
    """Bayes' rule by quadrature, for a prior that is one of the half-normals alone."""
    losses = known(decades(0))
    belief, spreads = Belief.after(losses), losses.spreads
    alone = np.tile(np.eye(len(TAUS) + 1)[component], (12, 1))
    single = Belief(weights=alone, centres=belief.centres, widths=belief.widths)
    widths = TAUS[component - 1] * spreads**2 / np.median(spreads)
    expected = map(by_quadrature, losses.means, spreads / np.sqrt(10), widths)
    assert single.means == pytest.approx(list(expected), rel=1e-3)


@given(SEEDS)
def test_draws_have_the_means_and_are_never_gains(seed: int) -> None:
    belief = Belief.after(known(decades(seed)))
    draws = belief.draws(4000)
    assert (draws >= 0).all()
    assert np.abs(draws.mean(axis=0) - belief.means) == pytest.approx(
        np.zeros(12), abs=5 * float((draws.std(axis=0) / np.sqrt(4000)).max()) + 1e-15
    )


@given(SEEDS, st.floats(1e-4, 1e4))
def test_the_unit_of_the_score_does_not_matter(seed: int, unit: float) -> None:
    losses = decades(seed)
    assert Belief.after(known(unit * losses)).means == pytest.approx(unit * Belief.after(known(losses)).means)


@given(SEEDS)
def test_the_order_of_contestants_does_not_matter(seed: int) -> None:
    losses, order = decades(seed), np.random.default_rng(seed).permutation(12)
    assert Belief.after(known(losses[order])).means == pytest.approx(Belief.after(known(losses)).means[order])


def test_a_lucky_wide_spread_is_believed_to_cost_more_than_a_sure_nothing() -> None:
    rng = np.random.default_rng(3)
    losses = np.vstack([decades(1), 0.1 * rng.normal(size=(1, 10)), 1e-6 * rng.normal(size=(1, 10))])
    losses[-2] -= losses[-2].mean() + 0.02  # twenty thousandths gained, by luck
    means = Belief.after(known(losses)).means
    assert means[-2] > 100 * means[-1] > 0


def test_many_prompts_are_believed_and_few_are_not() -> None:
    """A loss that stands out of its doubt is believed as it is seen; one that does not is drawn to the others."""
    seen = {num: known(decades(5, num_prompts=num)) for num in (6, 40_000)}
    clear = np.argmax(seen[40_000].means / seen[40_000].errors)
    believed = {num: Belief.after(losses).means[clear] / losses.means[clear] for num, losses in seen.items()}
    assert believed[40_000] == pytest.approx(1, abs=0.02)
    assert abs(believed[6] - 1) > 0.1


def test_a_distance_of_nothing_is_a_loss_of_nothing() -> None:
    """A contestant whose outputs do not change cannot cost, whatever its few prompts say."""
    losses = decades(7)
    distances = losses.std(axis=1)
    distances[0] = distances.min() / 1000
    with_distance, without = (Belief.after(known(losses, distances=d)).means[0] for d in (distances, None))
    assert with_distance < 0.01 * without


def test_losses_without_any_spread_are_believed_as_they_are() -> None:
    losses = Losses(
        means=np.array([0.1, 0.0, -0.2]), variances=np.full(3, np.nan), nums=np.ones(3), saved_ms=np.ones(3)
    )
    belief = Belief.after(losses)
    assert belief.means.tolist() == [0.1, 0.0, 0.0]
    assert (belief.draws(5) == [0.1, 0.0, 0.0]).all()
