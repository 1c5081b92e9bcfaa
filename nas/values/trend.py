"""What is believed of true losses where a distance of every contestant was measured: they lie about a line through it.

Of unit vectors, as CLIP makes them, the score lost by a picture f that becomes f + delta, for a caption t, is

    f.t - (f + delta).t = (f.t) |delta|^2 / 2 + what of delta lies across f, along t

The first part is a distance and never negative; the second one helps as many pictures as it harms, to first order. So a
mean loss theta is expected to be proportional to a mean squared distance d^2, and to scatter about it by its own size:

    theta  ~  N(kappa c, (rho kappa c)^2),    c = (d^2 / median d^2)^beta,    mean of n losses  ~  N(theta, s^2 / n)

kappa, rho and beta are shared by a round's contestants and unknown; a grid of them is weighed by how likely it makes
what was seen (a hierarchical normal model, as Rubin 1981, "Estimation in parallel randomized experiments"). What few
prompts say is drawn towards the line, and what changes nothing costs nothing. Pure; the same data give the same belief.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from nas.values.sample import Floats, Losses

BETA: Final = (1.0, 0.25)  # centre and deviation: 1 of the cosine, less of a distance that is further from the score
RHO: Final = (0.7, 0.5)  # centre, and deviation of its logarithm
LOG_KAPPA: Final = (-10.0, 1.0)  # of the largest loss that was seen; every value of it is as likely as any other
NUM_BETA, NUM_RHO, NUM_KAPPA = 7, 6, 28
REACH: Final = 1.6  # deviations that a grid reaches out
LEAST_LOG: Final = -14.0  # of a squared distance over the median one: what never moved is taken to move a little
LEAST: Final = 1e-18  # of a squared loss: no mean is known better
NUM_DRAWS: Final = 512
SEED: Final = 14


@dataclass(frozen=True, kw_only=True, eq=False)
class Trend:
    """The posterior of K contestants: a mixture of normals, one for each of G lines.

    Attributes:
        weights: (G,) of the lines.
        centres: (G, K) of the normals.
        widths: (G, K) of the normals.
    """

    weights: Floats
    centres: Floats
    widths: Floats

    @classmethod
    def after(cls, losses: Losses, /) -> "Trend":
        """What the losses of a round say, together with their distances."""
        assert losses.distances is not None
        largest = float(np.abs(losses.means).max() + losses.errors.max()) or 1.0
        means = losses.means / largest
        variances = np.maximum((losses.errors / largest) ** 2, LEAST)
        betas = np.linspace(-REACH, REACH, NUM_BETA)
        rhos = np.linspace(-REACH, REACH, NUM_RHO)
        kappas = np.exp(np.linspace(*LOG_KAPPA, NUM_KAPPA))
        slopes = np.exp((BETA[0] + BETA[1] * betas)[:, None] * _logs(losses.distances))
        line = kappas[:, None, None, None] * slopes[:, None, :]  # (kappa, beta, 1, K)
        scatter = (RHO[0] * np.exp(RHO[1] * rhos)[:, None] * line) ** 2  # (kappa, beta, rho, K)
        total = scatter + variances
        logs = -0.5 * (np.log(total) + (means - line) ** 2 / total).sum(axis=-1)
        logs -= 0.5 * (betas[:, None] ** 2 + rhos**2)
        weights = np.exp(logs - logs.max())
        shrink = scatter / total
        num = len(means)
        return cls(
            weights=(weights / weights.sum()).ravel(),
            centres=largest * (line + shrink * (means - line)).reshape(-1, num),
            widths=largest * np.sqrt(shrink * variances).reshape(-1, num),
        )

    @cached_property
    def means(self) -> Floats:
        """(K,) expected true losses."""
        means: Floats = self.weights @ self.centres
        return means

    def draws(self, num: int = NUM_DRAWS) -> Floats:
        """(num, K) true losses as they may be; the same random numbers at every call."""
        rng = np.random.default_rng(SEED)
        evenly = (np.arange(num) + rng.random()) / num
        lines: npt.NDArray[np.int64] = np.searchsorted(np.cumsum(self.weights)[:-1], evenly)
        return self.centres[lines] + self.widths[lines] * rng.standard_normal((num, self.centres.shape[1]))


def _logs(distances: Floats) -> Floats:
    """(K,) logarithms of the squared distances, over the median one that moved."""
    squares = distances**2
    if not (squares > 0).any():
        return np.zeros_like(squares)
    least = np.finfo(np.float64).tiny
    logs: Floats = np.log(np.maximum(squares, least)) - np.log(max(float(np.median(squares[squares > 0])), least))
    return np.maximum(logs, LEAST_LOG)
