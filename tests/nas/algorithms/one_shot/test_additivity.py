"""Whether losses add up, and the pair terms where they do not: against every left-out score predicted by the others."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from nas.algorithms.one_shot.additivity import additivity, fitted

Vector = NDArray[np.float64]


def scored(*, size: float, noise: float, seed: int) -> tuple[Vector, Vector, Vector]:
    """Choices of four edits, what they lost, and what each loses alone; pair terms and noise have such deviations."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, 2, size=(24, 4)).astype(float)
    single = rng.normal(size=4)
    own, pairs = single + rng.normal(size=4), size * rng.normal(size=6)
    return chosen, chosen @ own + both(chosen) @ pairs + noise * rng.normal(size=24), single


def both(chosen: Vector) -> Vector:
    """A column for each pair: whether both were chosen."""
    return np.stack([chosen[:, i] * chosen[:, j] for i, j in combinations(range(4), 2)], axis=1)


def weights_of(features: Vector, left: Vector, noise: float) -> Vector:
    """Most likely weights of features under a standard normal prior."""
    precision = features.T @ features + noise**2 * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(precision, features.T @ left), dtype=np.float64)


@pytest.mark.parametrize(
    ("size", "noise", "seed"), [(0.0, 0.01, 0), (0.1, 0.1, 2), (0.3, 0.1, 2), (1.0, 0.3, 1), (1.0, 1.0, 1)]
)
def test_pair_terms_are_of_the_size_that_predicts_left_out_scores_best(size: float, noise: float, seed: int) -> None:
    chosen, lost, single = scored(size=size, noise=noise, seed=seed)
    left, errors = lost - chosen @ single, {}
    for choice in product((0.0, 0.1, 0.3, 1.0), (0.01, 0.1, 0.3, 1.0)):
        features = np.hstack([chosen, choice[0] * both(chosen)])
        errors[choice] = sum(
            (left[out] - row @ weights_of(np.delete(features, out, 0), np.delete(left, out), choice[1])) ** 2
            for out, row in enumerate(features)
        )
    assert min(errors, key=lambda choice: errors[choice]) == (size, noise), "these scores tell how they were drawn"
    expected = size * weights_of(np.hstack([chosen, size * both(chosen)]), left, noise)[4:]
    model = fitted(chosen, lost, single=single)
    found = [model.pairs.get(pair, 0.0) for pair in combinations(range(4), 2)]
    assert found == pytest.approx(expected.tolist(), abs=1e-8)


def test_r2_does_not_depend_on_the_score_s_unit() -> None:
    chosen, lost, single = scored(size=1.0, noise=0.0, seed=0)
    measured, smaller = (additivity(chosen, unit * lost, single=unit * single) for unit in (1.0, 1e-3))
    assert smaller.r2 == pytest.approx(measured.r2)
    assert smaller.error == pytest.approx(1e-3 * measured.error)
    assert measured.r2 < 0.99


@pytest.mark.parametrize(("lost", "r2"), [(0.75, 1.0), (0.5, 0.0), (0.25, 0.0)])
def test_where_all_lose_the_same_sums_tell_all_or_nothing(lost: float, r2: float) -> None:
    chosen, single = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]), np.array([0.5, 0.25, 0.25])
    measured = additivity(chosen, np.full(2, lost), single=single)
    assert (measured.r2, measured.error, measured.num) == (r2, 0.75 - lost, 2)
    assert additivity(chosen, np.full(2, 0.75 - np.sqrt(0.5)), single=single).r2 == 0.0, "squared errors of 1 in all"
