"""When one contestant of a race is surely no worse than another: paired comparisons on a sample of the prompts.

The first n of N shuffled prompts are a simple random sample without replacement (Cochran, Sampling Techniques,
chapter 2): its means have the finite population correction, and at n = N nothing is left to chance.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

# Weight, in prompts, of the undecided contestants' common spread in the variance of each comparison (the moderated t
# of Smyth 2004). Without it a rival that lost nothing on the prompts so far is certain to lose nothing on the others.
POOLED_PROMPTS = 2

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def look_schedule(*, num_prompts: int, chunk_size: int, min_prompts: int, growth: float) -> tuple[int, ...]:
    """Numbers of prompts at which a race is looked at: whole chunks, spaced geometrically, the last one all prompts."""
    looks, wanted = list[int](), float(min_prompts)
    while not looks or looks[-1] < num_prompts:
        looks.append(min(num_prompts, math.ceil(wanted / chunk_size) * chunk_size))
        wanted = max(looks[-1] + 1, looks[-1] * growth)
    return tuple(looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse than a displaced contestant a chosen one may be.

    Attributes:
        latency_error: u, relative error of the saved milliseconds: another table ranks two values either way when they
            differ by less than u (|v_b| + |v_a|).
        indifference: e, CLIP score that the chosen may lose more than the other would for the same milliseconds.
    """

    latency_error: float = 0.0
    indifference: float = 0.0

    def __bool__(self) -> bool:
        return self.latency_error > 0 or self.indifference > 0

    def of_values(self, values: Floats, /, *, saved_ms: Floats) -> Floats:
        """The same in value, (K, K): entry [b, a] is u (|v_b| + |v_a|) + e / ms_b, for b chosen and a displaced."""
        sizes = np.abs(values)
        return self.latency_error * np.add.outer(sizes, sizes) + (self.indifference / saved_ms)[:, None]


def surely_no_worse(
    losses: Floats,
    /,
    *,
    saved_ms: Floats,
    num_prompts: int,
    error: float,
    tolerance: Tolerance,
) -> Bools:
    """Which contestant's value over all prompts is surely no higher than which other's, up to the tolerance.

    For b against a it tests the per-prompt numbers y_i = (1 + u s_a) x_ai - (1 - u s_b) x_bi with x = loss / saved ms
    and s = sign of the mean of x, so that their mean is v_a - v_b + u (|v_a| + |v_b|).

    Args:
        losses: (K, n) CLIP lost on the first n prompts.
        saved_ms: (K,) milliseconds saved, all positive.
        num_prompts: N, the prompts there are.
        error: Chance of being wrong that each comparison may have.
        tolerance: What counts as no worse.

    Returns:
        (K, K): entry [b, a] says that v_b <= v_a + tolerance with chance 1 - `error`.
    """
    num = losses.shape[1]
    values = losses.mean(axis=1) / saved_ms
    lead = values[None, :] - values[:, None] + tolerance.of_values(values, saved_ms=saved_ms)
    if num == num_prompts:
        margin = np.zeros_like(lead)
    else:
        signed_error = tolerance.latency_error * np.sign(values)
        chosen, displaced = (1 - signed_error) / saved_ms, (1 + signed_error) / saved_ms
        variance = _shrunk_variance(losses, chosen=chosen, displaced=displaced)
        third_moment = _third_moment(losses, chosen=chosen, displaced=displaced)
        skewness = third_moment / np.where(variance > 0, variance, 1.0) ** 1.5
        quantile = _skewed_quantile(float(-special.stdtrit(num - 1, error)), skewness, num=num)
        margin = quantile * np.sqrt(variance * (1 / num - 1 / num_prompts))
    sure: Bools = lead > margin
    np.fill_diagonal(sure, False)
    return sure


def _shrunk_variance(losses: Floats, /, *, chosen: Floats, displaced: Floats) -> Floats:
    """Variance of y = displaced_a d_a - chosen_b d_b, drawn towards what the contestants' common spread makes it.

    The common spread is what losses vary by once each prompt's mean over the contestants is taken away.
    """
    num_contestants, num = losses.shape
    cov = np.atleast_2d(np.cov(losses))
    pooled = (np.trace(cov) - cov.sum() / num_contestants) / max(num_contestants - 1, 1)
    own, other = chosen[:, None] ** 2, displaced[None, :] ** 2
    seen = own * np.diag(cov)[:, None] + other * np.diag(cov)[None, :] - 2 * np.outer(chosen, displaced) * cov
    blended = ((num - 1) * seen + POOLED_PROMPTS * pooled * (own + other)) / (num - 1 + POOLED_PROMPTS)
    variance: Floats = np.maximum(blended, 0.0)
    return variance


def _third_moment(losses: Floats, /, *, chosen: Floats, displaced: Floats) -> Floats:
    """Third central moment of y = displaced_a d_a - chosen_b d_b, from the contestants' joint third moments."""
    centred = losses - losses.mean(axis=1, keepdims=True)
    joint = centred**2 @ centred.T / losses.shape[1]  # [a, b] = mean of d_a^2 d_b
    own, other = chosen[:, None], displaced[None, :]
    cubes = other**3 * np.diag(joint)[None, :] - own**3 * np.diag(joint)[:, None]
    moment: Floats = cubes - 3 * own * other**2 * joint.T + 3 * own**2 * other * joint
    return moment


def _skewed_quantile(quantile: float, skewness: Floats, /, *, num: int) -> Floats:
    """Student's quantile, raised where y has a long lower tail, after Hall (1992), J. R. Statist. Soc. B 54, 221-228.

    A long lower tail is a loss of the chosen contestant that few prompts show. Long upper tails earn no credit.
    """
    tail, root = np.minimum(skewness, -1e-9), math.sqrt(num)
    raised = 3 * root / tail * (np.cbrt(1 + tail * (quantile / root - tail / (6 * num))) - 1)
    higher: Floats = np.maximum(raised, quantile)
    return higher
