"""MIND, the Monge Inception Distance: a sliced Wasserstein distance of features (Berthet et al., 2026).

    MIND = (3 d / M) sum_i W_2^2(u_i . x, u_i . y)

over M random directions u_i of length 1 in d dimensions. In one dimension the optimal transport is by sorting: W_2^2 is
the mean square difference of equal quantiles. Sets of unequal size are compared by all their quantiles rather than by
dropping pictures; for equal sizes that is the paper's formula. It asks for no covariance, so a few hundred pictures
tell models apart.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from nas.metrics.estimate import Estimate, Features, regrouped

NUM_DIRECTIONS: Final = 1000
SEED: Final = 0  # of the directions, the same for every set
_PORTION: Final = 100  # directions at once
_GROUPS: Final = 10  # each sorts every direction anew


def mind(made: Features, real: Features, /) -> Estimate:
    """Monge Inception Distance, whichever network the features are of."""
    directions = unit_directions(made.shape[1])
    return regrouped(lambda x, y: _distance(x, y, directions), made=made, real=real, num=_GROUPS)


def unit_directions(num_dimensions: int, /) -> Features:
    """Random directions, one a row."""
    drawn = np.random.default_rng(SEED).standard_normal((NUM_DIRECTIONS, num_dimensions))
    unit: Features = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit


def _distance(made: Features, real: Features, directions: Features) -> float:
    rows, columns, weights = _quantiles(len(made), len(real))
    total = 0.0
    for start in range(0, len(directions), _PORTION):
        part = directions[start : start + _PORTION].T
        gaps = np.sort(made @ part, axis=0)[rows] - np.sort(real @ part, axis=0)[columns]
        total += float((weights @ gaps**2).sum())
    return 3.0 * int(made.shape[1]) * total / len(directions)


def _quantiles(n: int, m: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Which of n and of m sorted values meet, and over which share of the mass."""
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)  # in units of 1 / (n m)
    starts = np.concatenate([[0], ends[:-1]])
    return starts // m, starts // n, (ends - starts) / (n * m)
