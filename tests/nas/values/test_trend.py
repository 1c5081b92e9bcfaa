"""The belief about a line through distances: Bayes' rule by quadrature, units, order, and what it believes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.values.belief import Belief, believed
from nas.values.sample import Losses
from nas.values.trend import BETA, LOG_KAPPA, NUM_BETA, NUM_KAPPA, NUM_RHO, REACH, RHO, Trend

SEEDS = st.integers(0, 2**32 - 1)


def made(seed: int, *, num: int = 12, num_prompts: int = 10, unit: float = 1.0) -> tuple[np.ndarray, Losses]:
    """True losses about a line through the squared distances, and what some prompts say of them."""
    rng = np.random.default_rng(seed)
    distances = 10 ** rng.uniform(-2.5, 0, num)
    true = unit * 0.1 * distances**2 * (1 + 0.5 * rng.standard_normal(num))
    spread = unit * 0.2 * distances
    losses = true[:, None] + spread[:, None] * rng.standard_normal((num, num_prompts))
    return true, Losses(
        means=losses.mean(axis=1),
        variances=losses.var(axis=1, ddof=1),
        nums=np.full(num, float(num_prompts)),
        saved_ms=np.ones(num),
        distances=distances,
    )


def test_means_and_draws_are_those_of_the_written_model() -> None:
    """Bayes' rule over every line, theta by quadrature."""
    _, losses = made(0, num=3)
    assert losses.distances is not None
    squares, errors = losses.distances**2, losses.errors
    top = np.abs(losses.means).max() + errors.max()
    z = np.linspace(-8, 8, 4_001)
    logs, means = [], []
    for kappa in top * np.exp(np.linspace(*LOG_KAPPA, NUM_KAPPA)):
        for beta in np.linspace(-REACH, REACH, NUM_BETA):
            for rho in np.linspace(-REACH, REACH, NUM_RHO):
                line = kappa * (squares / np.median(squares)) ** (BETA[0] + BETA[1] * beta)
                theta = line[:, None] * (1 + RHO[0] * np.exp(RHO[1] * rho) * z)
                joint = np.exp(-0.5 * ((losses.means[:, None] - theta) / errors[:, None]) ** 2 - z**2 / 2)
                logs.append(np.log(joint.sum(axis=1)).sum() - 0.5 * (beta**2 + rho**2))
                means.append((joint * theta).sum(axis=1) / joint.sum(axis=1))
    weights = np.exp(np.array(logs) - max(logs))
    expected = weights @ np.array(means) / weights.sum()
    found = Trend.after(losses)
    assert found.means == pytest.approx(expected, rel=0.02, abs=0.02 * float(found.means.max()))
    draws = found.draws(20_000)
    assert draws.mean(axis=0) == pytest.approx(found.means, abs=4 * float(draws.std(axis=0).max()) / np.sqrt(20_000))


@given(SEEDS, st.floats(1e-4, 1e4), st.floats(1e-3, 1e3))
def test_units_do_not_matter(seed: int, unit: float, length: float) -> None:
    _, losses = made(seed)
    _, scaled = made(seed, unit=unit)
    assert losses.distances is not None
    longer = Losses(
        means=scaled.means, variances=scaled.variances, nums=scaled.nums, saved_ms=scaled.saved_ms,
        distances=length * losses.distances,
    )  # fmt: skip
    assert Trend.after(longer).means == pytest.approx(unit * Trend.after(losses).means, rel=1e-6)


def test_few_prompts_are_drawn_to_the_line_and_many_are_believed() -> None:
    errors: dict[int, list[tuple[float, float]]] = {}
    for num in (4, 10_000):
        for seed in range(8):
            true, losses = made(seed, num=20, num_prompts=num)
            believes = np.abs(Trend.after(losses).means - true).mean()
            errors.setdefault(num, []).append((believes, np.abs(losses.means - true).mean()))
    few, many = (np.array(errors[num]).mean(axis=0) for num in (4, 10_000))
    assert few[0] < 0.7 * few[1], "nearer to the truth than the means are"
    assert many[0] == pytest.approx(many[1], rel=0.1)


def test_a_distance_of_nothing_is_a_loss_of_nothing() -> None:
    """A contestant whose pictures do not change cannot cost, whatever its few prompts say."""
    _, losses = made(7)
    assert losses.distances is not None
    losses.distances[0] = 0.0
    losses.means[0] = losses.means.max()
    assert abs(Trend.after(losses).means[0]) < 1e-3 * Trend.after(losses).means.max()


def test_a_distance_decides_which_belief_it_is() -> None:
    _, losses = made(1)
    alone = Losses(means=losses.means, variances=losses.variances, nums=losses.nums, saved_ms=losses.saved_ms)
    assert (type(believed(losses)), type(believed(alone))) == (Trend, Belief)
    nothing = Losses(
        means=np.zeros(3), variances=np.zeros(3), nums=np.full(3, 4.0), saved_ms=np.ones(3), distances=np.zeros(3)
    )
    assert np.abs(Trend.after(nothing).means).max() < 1e-6
