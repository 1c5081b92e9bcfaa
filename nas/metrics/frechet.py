"""FID: the Frechet distance of two normal distributions with the means and covariances of two sets of features.

    FID = |mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2))

Heusel et al. (2017). A covariance of d dimensions needs more than d pictures to have full rank; below that the number
says how many pictures there were rather than how good they are, and even above it is biased upwards (Chong and
Forsyth, 2020): compare sets of equal size only.
"""

from typing import Final

import numpy as np
from scipy import linalg

from nas.metrics.estimate import Estimate, Features, regrouped

_GROUPS: Final = 10  # each takes two decompositions of d x d


def fid(made: Features, real: Features, /) -> Estimate:
    """Frechet Inception Distance, whichever network the features are of."""
    return regrouped(_distance, made=made, real=real, num=_GROUPS)


def least_for_fid(num_dimensions: int, /) -> int:
    """Pictures that a covariance of full rank needs, on either side."""
    return num_dimensions + 1


def _distance(made: Features, real: Features) -> float:
    means = ((made.mean(0) - real.mean(0)) ** 2).sum()
    first, second = np.cov(made, rowvar=False), np.cov(real, rowvar=False)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    values, vectors = linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T  # (S_x S_y) is similar to this S_y between two roots
    shared = np.sqrt(linalg.eigvalsh(root @ second @ root).clip(min=0)).sum()
    return float(means + np.trace(first) + np.trace(second) - 2 * shared)
