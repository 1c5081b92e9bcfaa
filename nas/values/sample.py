"""What is known of each contestant's loss: mean, variance and number of prompts; few prompts share their variances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from nas.scores.intervals import Interval

Floats: TypeAlias = npt.NDArray[np.float64]
LEAST_SHARE: Final = 1e-5  # of the median variance: what lost the same on every prompt so far may lose more on another
MOST_SHARED: Final = 1e6  # prior degrees of freedom that count as infinitely many


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Losses:
    """The losses of K contestants, each summed up over its own prompts.

    Attributes:
        means: (K,) mean loss, positive = worse.
        variances: (K,) of the losses of single prompts; NaN where there is one prompt.
        nums: (K,) prompts.
        saved_ms: (K,) milliseconds saved, positive.
        distances: (K,) how far each contestant's pictures or outputs lie from the reference's, as a size and not as a
            square; None where nobody measured it. A loss is expected to be proportional to it.
    """

    means: Floats
    variances: Floats
    nums: Floats
    saved_ms: Floats
    distances: Floats | None = None

    @classmethod
    def of(
        cls, losses: Sequence[Interval], /, *, saved_ms: Sequence[float], distances: Sequence[float] | None = None
    ) -> "Losses":
        """From intervals around means, as estimates hold them."""
        errors = np.array([interval.error for interval in losses], dtype=np.float64)
        nums = np.array([interval.num_prompts for interval in losses], dtype=np.float64)
        return cls(
            means=np.array([interval.mean for interval in losses], dtype=np.float64),
            variances=nums * errors**2,
            nums=nums,
            saved_ms=np.array(saved_ms, dtype=np.float64),
            distances=None if distances is None else np.array(distances, dtype=np.float64),
        )

    @property
    def spreads(self) -> Floats:
        """(K,) standard deviation of the loss of one prompt, moderated."""
        return np.sqrt(moderated(self.variances, degrees=self.nums - 1, sizes=self.distances))

    @property
    def errors(self) -> Floats:
        """(K,) standard error of each mean, moderated."""
        return self.spreads / np.sqrt(self.nums)


def moderated(variances: Floats, /, *, degrees: Floats, sizes: Floats | None = None) -> Floats:
    """Variances drawn towards each other, the more the fewer prompts each rests on and the more alike they are.

    The empirical Bayes of Smyth (2004), "Linear models and empirical Bayes methods for assessing differential
    expression in microarray experiments", section 6.2: true variances follow a scaled inverse chi-square with d0
    degrees of freedom around s0^2, both found from the moments of the log variances; then

        (d0 s0^2 + d s^2) / (d0 + d)

    With sizes, s0 is proportional to them, as limma's trend is a function of the mean expression.

    Args:
        variances: (K,) NaN or whatever where there are no degrees of freedom.
        degrees: (K,) degrees of freedom.
        sizes: (K,) what standard deviations should be proportional to; None = they should be alike.

    Returns:
        (K,); zeros where no contestant has any variance.
    """
    known = degrees > 0
    if not known.any() or not (largest := np.nanmax(np.where(known, variances, 0.0))) > 0:
        return np.zeros_like(variances)
    seen = variances[known]
    squares = np.ones_like(variances) if sizes is None else _floored(sizes**2)
    typical = float(np.median(seen)) or float(largest)
    relative = np.maximum(seen, LEAST_SHARE * typical) / squares[known]
    half = degrees[known] / 2
    logs = np.log(relative) - special.digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - special.polygamma(1, half).mean()) if len(logs) > 1 else 0.0
    prior_half = _trigamma_inverse(excess) if excess > 0 else MOST_SHARED
    if prior_half >= MOST_SHARED:
        common = float(np.average(relative, weights=half))
        return common * squares
    common = float(np.exp(logs.mean() + special.digamma(prior_half) - np.log(prior_half)))
    own = np.where(known, variances, 0.0)
    weights = np.where(known, degrees, 0.0)
    blended: Floats = (2 * prior_half * common * squares + weights * own) / (2 * prior_half + weights)
    return blended


def _floored(squares: Floats) -> Floats:
    """Without zeros: what was never seen to move is taken to move a little."""
    positive = squares[squares > 0]
    return np.maximum(squares, LEAST_SHARE * float(np.median(positive)) if len(positive) else 1.0)


def _trigamma_inverse(value: float) -> float:
    """y with trigamma(y) = value, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1 / MOST_SHARED:
        return 1 / value
    found = 0.5 + 1 / value
    for _ in range(50):
        now = float(special.polygamma(1, found))
        step = now * (1 - now / value) / float(special.polygamma(2, found))
        found += step
        if -step / found < 1e-8:
            break
    return found


def by_index(values: Mapping[int, float], indices: Sequence[int], /) -> list[float] | None:
    """The values of some indices; None unless all are there."""
    return [values[index] for index in indices] if all(index in values for index in indices) else None
