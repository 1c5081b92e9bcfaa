import numpy as np
import pytest

from latency.timing.estimator import (
    Samples,
    bootstrap_cv,
    corrected,
    kendall_tau,
    mean_absolute_percentage_error,
    rest_samples,
    summarised,
)


def test_correction_takes_the_machines_pace_out():
    pace = np.array([1.0, 2.0, 4.0, 1.0, 3.0])
    samples = {
        name: Samples(call_ms=tuple(ms * pace), reference_ms=tuple(10 * pace), calls=1)
        for name, ms in {"a": 5.0, "b": 0.5}.items()
    }
    values = corrected(samples)
    assert values["a"] == pytest.approx([10.0] * 5)  # 5 ms on a machine that is typically at half its speed
    assert values["b"] == pytest.approx([1.0] * 5)


def test_a_summary_holds_the_usual_statistics():
    summary = summarised(range(1, 12))
    assert (summary.min_ms, summary.p10_ms, summary.median_ms, summary.p90_ms) == (1, 2, 6, 10)
    assert summary.mean_ms == 6
    assert summary.std_ms == pytest.approx(np.std(range(1, 12)), abs=1e-6)
    assert summary.num_samples == 11


def test_the_bootstrap_knows_the_error_of_a_median():
    rng = np.random.default_rng(0)
    estimated = np.mean([bootstrap_cv(rng.normal(10, 1, 25), rng=rng) for _ in range(40)])
    true = np.std([np.median(rng.normal(10, 1, 25)) for _ in range(2000)]) / 10
    assert estimated == pytest.approx(true, rel=0.2)
    assert bootstrap_cv(np.full(5, 3.0), rng=rng) == 0
    assert bootstrap_cv(np.array([3.0]), rng=rng) == np.inf


def test_the_rest_keeps_its_spread_and_never_goes_below_zero():
    whole, blocks = np.array([10.0, 12.0, 11.0]), [np.array([4.0, 5.0, 4.0]), np.array([4.0, 4.0, 4.0])]
    assert rest_samples(whole, blocks, rest_ms=3.0) == pytest.approx([2.0, 3.0, 3.0])
    assert rest_samples(whole, blocks, rest_ms=-0.5) == pytest.approx([0.0, 0.0, 0.0])


def test_agreement_of_predictions():
    measured = np.array([10.0, 20.0, 30.0, 40.0])
    assert mean_absolute_percentage_error(measured * [1.1, 0.9, 1.0, 1.0], measured) == pytest.approx(0.05)
    assert kendall_tau(measured, measured) == 1
    assert kendall_tau(-measured, measured) == -1
    assert kendall_tau(np.array([1.0, 2.0, 4.0, 3.0]), measured) == pytest.approx(4 / 6)
