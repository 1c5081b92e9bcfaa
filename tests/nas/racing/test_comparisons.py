"""Comparisons of contestants, and the prompts on which they are made."""

import numpy as np
import pytest
from scipy import stats

from nas.racing.comparisons import Tolerance, look_schedule, surely_no_worse
from tests.nas.racing.simulated import lognormal


@pytest.mark.parametrize("tolerance", [Tolerance(), Tolerance(latency_error=0.1, indifference=0.02)])
@pytest.mark.parametrize("seed", range(12))  # each holds six answers; a wrong formula gives some of them otherwise
def test_comparisons_are_those_of_the_documented_formulas(tolerance: Tolerance, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, num_prompts, error, weight = 6 + 2 * seed, 100, 0.2, 2  # prompts that the common spread weighs
    losses, saved_ms = lognormal(rng, 6, n) - 0.9, rng.lognormal(0, 0.7, 6)
    centred = losses - losses.mean(axis=0)
    pooled = (centred - centred.mean(axis=1, keepdims=True)).var() * 6 * n / (5 * (n - 1))
    sure = surely_no_worse(losses, saved_ms=saved_ms, num_prompts=num_prompts, error=error, tolerance=tolerance)
    assert not sure.diagonal().any(), "nobody is compared with itself"
    for b, a in np.argwhere(~np.eye(6, dtype=bool)):
        signs, u = np.sign(losses.mean(axis=1)), tolerance.latency_error
        weights = (1 - u * signs[b]) / saved_ms[b], (1 + u * signs[a]) / saved_ms[a]
        y = weights[1] * losses[a] - weights[0] * losses[b]
        prior = pooled * (weights[0] ** 2 + weights[1] ** 2)
        variance = ((n - 1) * y.var(ddof=1) + weight * prior) / (n - 1 + weight)
        skewness, t = ((y - y.mean()) ** 3).mean() / variance**1.5, stats.t.isf(error, n - 1)
        if skewness < 0:
            hall = 3 * np.sqrt(n) / skewness * (np.cbrt(1 + skewness * (t / np.sqrt(n) - skewness / (6 * n))) - 1)
            t = max(t, hall)
        low = y.mean() + tolerance.indifference / saved_ms[b] - t * np.sqrt(variance * (1 / n - 1 / num_prompts))
        assert sure[b, a] == (low > 0)


def test_looks_are_whole_chunks_and_end_with_all() -> None:
    assert look_schedule(num_prompts=100, chunk_size=8, min_prompts=16, growth=1.5) == (16, 24, 40, 64, 96, 100)
    assert look_schedule(num_prompts=10, chunk_size=8, min_prompts=16, growth=1.5) == (10,)
    assert look_schedule(num_prompts=20, chunk_size=8, min_prompts=2, growth=1.0) == (8, 16, 20)
