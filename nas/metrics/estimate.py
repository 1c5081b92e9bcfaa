"""Estimate: a number of a set of pictures, and how far another set of as many would move it.

Intervals are those of a jackknife that leaves out a group of pictures at a time, which holds for every smooth
statistic, U-statistics among them; a bootstrap would draw pictures twice, whose distance to themselves is 0, and so
move every distance. Picture i belongs to group i mod G, so that sets which show the same captions with the same noise
are paired: what makes some captions hard cancels in their difference.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

from search_spaces.files.user_error import UserError

Features: TypeAlias = npt.NDArray[np.float64]  # (pictures, dimensions)

NUM_GROUPS: Final = 20
CONFIDENCE: Final = 0.95


class MetricError(UserError):
    """Features of which a number cannot be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number and where that of endlessly many pictures lies.

    Attributes:
        value: By all pictures.
        low: Lower end of the interval.
        high: Upper end.
        num_made: Generated pictures that went into it.
        num_real: Real ones; 0 where none are needed.
        without: The number without each group of pictures; empty where a single group is all there is.
    """

    value: float
    low: float
    high: float
    num_made: int
    num_real: int
    without: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def jackknifed(value: float, without: Sequence[float], /, *, num_made: int, num_real: int = 0) -> Estimate:
    """The estimate of a value and of what it is without each group of pictures; Student's t, 95 %."""
    half = _half(without)
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        num_made=num_made,
        num_real=num_real,
        without=tuple(without),
    )


def difference(first: Estimate, second: Estimate, /) -> Estimate:
    """First minus second, paired by groups: of sets that show the same captions, in the same order.

    Raises:
        MetricError: They were estimated by other groups.
    """
    if len(first.without) != len(second.without) or first.num_made != second.num_made:
        raise MetricError(
            f"only numbers of the same captions can be compared, but got {first.num_made} and {second.num_made} "
            "pictures; evaluate both on the same captions"
        )
    changes = [one - other for one, other in zip(first.without, second.without, strict=True)]
    return jackknifed(
        first.value - second.value,
        changes,
        num_made=first.num_made,
        num_real=min(first.num_real, second.num_real),
    )


def mean_estimate(values: npt.NDArray[np.float64], /) -> Estimate:
    """The mean of one number per picture.

    Raises:
        MetricError: There is none, or one that is not finite.
    """
    if not len(values) or not np.isfinite(values).all():
        raise MetricError(f"a mean needs finite numbers, but got {len(values)}, or some that are not; draw again")
    groups = groups_of(len(values))
    without = [float(values[groups != group].mean()) for group in range(num_groups(len(values)))]
    return jackknifed(float(values.mean()), without if len(values) > 1 else (), num_made=len(values))


def num_groups(*sizes: int) -> int:
    """Groups of sets of some sizes: twenty, or as many as the smallest has pictures."""
    return min(NUM_GROUPS, *sizes)


def groups_of(size: int, /, *, num: int | None = None) -> npt.NDArray[np.int64]:
    """The group of every picture."""
    return np.arange(size) % (num_groups(size) if num is None else num)


def regrouped(
    statistic: Callable[[Features, Features], float], /, *, made: Features, real: Features, num: int = NUM_GROUPS
) -> Estimate:
    """The estimate of a statistic that is computed afresh without each group.

    Args:
        statistic: Of generated and real features.
        made: Generated.
        real: Real.
        num: Groups at most, for statistics that take long.
    """
    num = min(num, num_groups(len(made), len(real)))
    of_made, of_real = groups_of(len(made), num=num), groups_of(len(real), num=num)
    without = [statistic(made[of_made != group], real[of_real != group]) for group in range(num)]
    return jackknifed(statistic(made, real), without, num_made=len(made), num_real=len(real))


def _half(without: Sequence[float]) -> float:
    """Half the width of the interval; endless where nothing was left out."""
    num = len(without)
    if num < 2:
        return float("inf")
    values = np.asarray(without)
    error = float(np.sqrt((num - 1) / num * ((values - values.mean()) ** 2).sum()))
    return float(special.stdtrit(num - 1, (1 + CONFIDENCE) / 2)) * error
