"""What is believed of each contestant's true loss after a round's scores: an empirical Bayes posterior.

A removal that changes pictures a lot may cost a lot; one that changes none cannot change their score. To first order
a change helps as many pictures as it harms, and spreads their losses; what is lost on average is of second order. So
the prior of a true mean loss theta is stated in units of its own size c, the square of the spread s of its losses over
prompts, or of a distance where one was measured:

    theta / c  ~  pi_0 delta_0 + sum over k of pi_k |N(0, tau_k^2)|,      mean of n losses  ~  N(theta, s^2 / n)
    c = s^2 / (median spread)

Losses are not negative: what removes a block can be lucky on a few captions, but rarely helps. The pi are fitted to all
contestants of the round by EM (adaptive shrinkage with half-normal components: Stephens 2017, "False discovery rates: a
new deal", Biostatistics 18, 275-294); the tau form a fixed grid. Pure; the same data give the same belief.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy import special

from nas.values.sample import Floats, Losses

TAUS: Final = tuple(0.02 * 2**k for k in range(8))  # 0.02 to 2.56: of the spread, for a contestant of median spread
NUM_EM: Final = 100
COUNT: Final = 1.0  # contestants that the Dirichlet prior is worth in all: of a round's few it takes little
NUM_DRAWS: Final = 512
SEED: Final = 14  # of the draws: the same uniforms for every belief, so that two looks differ by their data alone


@dataclass(frozen=True, kw_only=True, eq=False)
class Belief:
    """The posterior of K contestants: a mixture of normals cut off below 0, and a point at 0.

    Attributes:
        weights: (K, C) of the components, the point first.
        centres: (K, C) of the normals before they are cut; 0 of the point.
        widths: (K, C) of the normals before they are cut; 0 of the point.
    """

    weights: Floats
    centres: Floats
    widths: Floats

    @classmethod
    def after(cls, losses: Losses, /) -> "Belief":
        """What the losses of a round say."""
        spreads = losses.spreads
        errors = spreads / np.sqrt(losses.nums)
        sizes = _squared(spreads if losses.distances is None else losses.distances, spreads)
        widths = np.concatenate([np.zeros((len(sizes), 1)), np.outer(sizes, TAUS)], axis=1)
        sure = errors[:, None] == 0
        variances = np.where(sure, 1.0, errors[:, None] ** 2)
        total = variances + widths**2
        shrink = widths**2 / total
        centres, left = shrink * losses.means[:, None], np.sqrt(shrink * variances)
        with np.errstate(divide="ignore", invalid="ignore"):
            tails = np.where(widths > 0, np.log(2) + special.log_ndtr(centres / np.where(left > 0, left, 1.0)), 0.0)
        logs = -0.5 * (np.log(total) + losses.means[:, None] ** 2 / total) + tails
        weights = _fitted(np.where(sure, 0.0, logs))
        known = np.maximum(losses.means, 0.0)[:, None]
        return cls(weights=weights, centres=np.where(sure, known, centres), widths=np.where(sure, 0.0, left))

    @cached_property
    def means(self) -> Floats:
        """(K,) expected true losses."""
        means: Floats = (self.weights * _cut_mean(self.centres, self.widths)).sum(axis=1)
        return means

    def draws(self, num: int = NUM_DRAWS) -> Floats:
        """(num, K) true losses as they may be; the same uniforms at every call."""
        rng = np.random.default_rng(SEED)
        which, where = rng.random((2, num, len(self.weights)))
        chosen = (which[:, :, None] > np.cumsum(self.weights, axis=1)[None, :, :-1]).sum(axis=2)
        rows = np.arange(len(self.weights))[None, :]
        return _cut_quantile(where, self.centres[rows, chosen], self.widths[rows, chosen])


def _squared(sizes: Floats, spreads: Floats) -> Floats:
    """c: the squares of sizes, so that the contestant of median size has the median spread for its c."""
    moved = (sizes > 0) & (spreads > 0)
    if not moved.any():
        return np.zeros_like(sizes)
    squared: Floats = sizes**2 * (float(np.median(spreads[moved])) / float(np.median(sizes[moved])) ** 2)
    return squared


def _fitted(logs: Floats) -> Floats:
    """(K, C) responsibilities at the mixture that makes the data likeliest, the Dirichlet prior included."""
    likelihoods = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares = np.full(logs.shape[1], 1 / logs.shape[1])
    for _ in range(NUM_EM):
        weights = likelihoods * shares
        weights /= weights.sum(axis=1, keepdims=True)
        shares = weights.sum(axis=0) + COUNT / logs.shape[1]
        shares /= shares.sum()
    weights = likelihoods * shares
    fitted: Floats = weights / weights.sum(axis=1, keepdims=True)
    return fitted


def _cut_mean(centres: Floats, widths: Floats) -> Floats:
    """Means of normals cut off below 0; of width 0, the centre."""
    wide = np.where(widths > 0, widths, 1.0)
    ratios = centres / wide
    hazards = np.exp(-0.5 * ratios**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(ratios))
    means: Floats = np.where(widths > 0, centres + wide * hazards, centres)
    return means


def _cut_quantile(where: Floats, centres: Floats, widths: Floats) -> Floats:
    """Quantiles of normals cut off below 0; of width 0, the centre."""
    wide = np.where(widths > 0, widths, 1.0)
    upper = special.ndtr(centres / wide)  # chance above 0, before the cut
    # From the far side, where a normal that lies far below 0 keeps its digits.
    values = centres - wide * special.ndtri(np.clip((1 - where) * upper, 1e-300, 1.0 - 1e-16))
    found: Floats = np.where(widths > 0, np.maximum(values, 0.0), centres)
    return found
