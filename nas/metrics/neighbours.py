"""Precision and recall: how many pictures lie among the real ones, and the other way round.

Kynkaanniemi et al. (2019): around every picture of a set lies a ball that reaches to its k-th nearest neighbour in the
set, k = 3; together they are the set's manifold. Precision is the share of generated pictures within the manifold of
the real ones (are they good?), recall that of real pictures within the manifold of the generated ones (are they
varied?). Both depend on the numbers of pictures: compare sets of equal size only.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from nas.metrics.estimate import Estimate, Features, regrouped

NUM_NEIGHBOURS: Final = 3
MOST: Final = 10_000  # pictures of a set, whose distances to all others must fit in memory


def precision(made: Features, real: Features, /) -> Estimate:
    """Share of generated pictures within the manifold of the real ones."""
    return regrouped(lambda x, y: _share(x, within=y), made=made[:MOST], real=real[:MOST])


def recall(made: Features, real: Features, /) -> Estimate:
    """Share of real pictures within the manifold of the generated ones."""
    return regrouped(lambda x, y: _share(y, within=x), made=made[:MOST], real=real[:MOST])


def _share(pictures: Features, *, within: Features) -> float:
    own = _squares(within, within)
    np.fill_diagonal(own, 0.0)  # exactly, so that a picture is always its own nearest
    radii = np.partition(own, NUM_NEIGHBOURS, axis=1)[:, NUM_NEIGHBOURS]
    return float((_squares(pictures, within) <= radii[None]).any(axis=1).mean())


def _squares(x: Features, y: Features) -> npt.NDArray[np.float64]:
    """Squared distances (n, m)."""
    squares: npt.NDArray[np.float64] = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    return squares.clip(min=0)
