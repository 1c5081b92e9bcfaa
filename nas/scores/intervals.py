"""Per-prompt scores as paired samples: means and differences with confidence intervals (Student's t)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and where the true one lies with the stated confidence.

    Attributes:
        mean: Mean over prompts.
        low: Lower end.
        high: Upper end.
        num_prompts: Prompts that went into it.
        confidence: Chance that the interval covers the true mean.
    """

    mean: float
    low: float
    high: float
    num_prompts: int
    confidence: float

    @property
    def error(self) -> float:
        """Standard error of the mean, from the width of the interval; NaN where one prompt tells nothing of it."""
        if self.num_prompts < 2:
            return float("nan")
        return (self.high - self.low) / 2 / float(special.stdtrit(self.num_prompts - 1, (1 + self.confidence) / 2))

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]"


def mean_interval(values: Sequence[float], /, *, confidence: float = 0.95) -> Interval:
    """Mean of per-prompt values with its t interval; a single prompt has an unbounded one.

    Raises:
        ValueError: No values, values that are not finite, or a confidence outside (0, 1).
    """
    if len(values) == 0:
        raise UserError("a mean needs at least one score, but got none")
    if not 0 < confidence < 1:
        raise UserError(f"`confidence` must lie between 0 and 1, but got {confidence}")
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise UserError(
            f"scores must be finite, but {int((~np.isfinite(array)).sum())} of {len(array)} are not; "
            "the model overflows: use a wider dtype, or protect the block whose removal does it"
        )
    mean, num = float(array.mean()), len(array)
    if num == 1:
        half = float("inf")
    else:
        half = float(special.stdtrit(num - 1, (1 + confidence) / 2) * array.std(ddof=1) / np.sqrt(num))
    return Interval(mean=mean, low=mean - half, high=mean + half, num_prompts=num, confidence=confidence)


def losses(before: Sequence[float], after: Sequence[float], /, *, higher_is_better: bool = True) -> list[float]:
    """What each prompt lost from `before` to `after`, positive = worse.

    Raises:
        ValueError: Scores of different numbers of prompts.
    """
    if len(before) != len(after):
        raise UserError(f"paired scores need the same prompts, but got {len(before)} and {len(after)}")
    sign = 1 if higher_is_better else -1
    return [sign * (b - a) for b, a in zip(before, after, strict=True)]


def chance_above(differences: Sequence[float], /) -> float:
    """How likely the true mean is above 0, given some values of it: Student's t with a flat prior.

    Args:
        differences: Per prompt, such as what one action loses less than another.

    Returns:
        In [0, 1]; NaN for fewer than two values, and for values that are not finite or overflow. Values that are all
        alike leave no doubt: 0, 0.5 or 1.
    """
    if len(differences) < 2:
        return float("nan")
    array = np.asarray(differences, dtype=np.float64)
    with np.errstate(all="ignore"):
        mean, error = float(array.mean()), float(array.std(ddof=1) / np.sqrt(len(array)))
    if not np.isfinite((mean, error)).all():
        return float("nan")
    if error == 0:
        return 0.5 + 0.5 * float(np.sign(mean))
    return float(special.stdtr(len(array) - 1, mean / error))


def paired_loss(
    before: Sequence[float], after: Sequence[float], /, *, confidence: float = 0.95, higher_is_better: bool = True
) -> Interval:
    """Score lost from `before` to `after` (positive = worse), prompt by prompt with the same noise.

    Pairing removes what makes some captions easier than others: only the change itself varies.

    Raises:
        ValueError: Scores of different numbers of prompts.
    """
    return mean_interval(losses(before, after, higher_is_better=higher_is_better), confidence=confidence)
