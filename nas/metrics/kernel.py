"""KID and CMMD: the squared maximum mean discrepancy of two sets of features, without bias.

    MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),    x != x', y != y'

| | kernel | source |
|---|---|---|
| KID | (x.y / d + 1)^3 | Binkowski et al., Demystifying MMD GANs (2018) |
| CMMD | 1000 exp(-|x - y|^2 / (2 sigma^2)), sigma = 10 | Jayasumana et al., Rethinking FID (2024); CLIP's vectors |

KID is often computed as a mean over random subsets of 1,000 pictures, since their kernel matrix fits in memory; here
all pairs count, in blocks, which is the same expectation with less spread. Numbers may be below 0: the true distance
of two sets of one kind is 0, and an estimate without bias is as often below as above.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from nas.metrics.estimate import Estimate, Features, groups_of, jackknifed, num_groups

Kernel: TypeAlias = Callable[[Features, Features], npt.NDArray[np.float64]]  # (n, d) and (m, d) to (n, m)

SIGMA: Final = 10.0
SCALE: Final = 1000.0


def kid(made: Features, real: Features, /) -> Estimate:
    """Kernel Inception Distance, whichever network the features are of."""
    return _squared_mmd(made, real, kernel=lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3)


def cmmd(made: Features, real: Features, /) -> Estimate:
    """CLIP maximum mean discrepancy, of unit vectors, times 1000."""

    def kernel(x: Features, y: Features) -> npt.NDArray[np.float64]:
        squares: npt.NDArray[np.float64] = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
        values: npt.NDArray[np.float64] = SCALE * np.exp(-squares / (2 * SIGMA**2))
        return values

    return _squared_mmd(made, real, kernel=kernel)


def _squared_mmd(made: Features, real: Features, /, *, kernel: Kernel) -> Estimate:
    """By sums over blocks of groups, of which each jackknife step leaves a row and a column out."""
    num = num_groups(len(made), len(real))
    rows, columns = ([x[groups_of(len(x), num=num) == g] for g in range(num)] for x in (made, real))
    among_made, among_real = _own_sums(rows, kernel), _own_sums(columns, kernel)
    between = np.array([[kernel(x, y).sum() for y in columns] for x in rows])
    sizes = np.array([len(x) for x in rows], dtype=float), np.array([len(y) for y in columns], dtype=float)

    def value(kept: npt.NDArray[np.bool_]) -> float:
        n, m = sizes[0][kept].sum(), sizes[1][kept].sum()
        square = np.ix_(kept, kept)
        means = among_made[square].sum() / (n * (n - 1)) + among_real[square].sum() / (m * (m - 1))
        return float(means - 2 * between[square].sum() / (n * m))

    everything = np.ones(num, dtype=bool)
    without = [value(np.arange(num) != group) for group in range(num)]
    return jackknifed(value(everything), without, num_made=len(made), num_real=len(real))


def _own_sums(groups: list[Features], kernel: Kernel) -> npt.NDArray[np.float64]:
    """Sums of a kernel over all pairs of two different pictures, by the groups of both."""
    sums = np.zeros((len(groups), len(groups)))
    for i, x in enumerate(groups):
        for j, y in enumerate(groups[: i + 1]):
            block = kernel(x, y)
            sums[i, j] = sums[j, i] = block.sum() - (np.trace(block) if i == j else 0.0)
    return sums
