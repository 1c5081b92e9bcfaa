"""What a training's losses come to: the mean of its first tenth, and of its last. Pure."""

from collections.abc import Sequence
from statistics import fmean


def first_tenth(losses: Sequence[float], /) -> float:
    """Mean loss of the first tenth of the steps, of the first one where there are fewer than twenty.

    Args:
        losses: Of every step; at least one.
    """
    return fmean(losses[: _num(losses)])


def last_tenth(losses: Sequence[float], /) -> float:
    """Mean loss of the last tenth of the steps, of the last one where there are fewer than twenty.

    Args:
        losses: Of every step; at least one.
    """
    return fmean(losses[-_num(losses) :])


def _num(losses: Sequence[float]) -> int:
    return max(1, len(losses) // 10)
