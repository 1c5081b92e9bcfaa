"""From noisy samples to a number: ratios to a bracketing reference kernel, their median, and how sure it is.

A shared machine slows block and reference alike, so a sample over the reference just around it is steady where the
sample itself is not: value = median(sample / reference) x median(reference). Pure arithmetic.
"""

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

K = TypeVar("K", bound=Hashable)
Array: TypeAlias = npt.NDArray[np.float64]
NUM_RESAMPLES: Final = 200  # a CV of 2 % is known to about a tenth of itself
DIGITS: Final = 6  # nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What was read from the clock for one task.

    Attributes:
        call_ms: Milliseconds of a call, mean of a round's calls, one entry a round.
        reference_ms: Milliseconds of the reference kernel around them, one entry a round.
        calls: Calls per round.
    """

    call_ms: tuple[float, ...]
    reference_ms: tuple[float, ...]
    calls: int

    @property
    def ratios(self) -> Array:
        """Samples in units of the reference kernel."""
        ratios: Array = np.asarray(self.call_ms) / np.asarray(self.reference_ms)
        return ratios


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Statistics of samples; the fields are those of a table's row."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    min_ms: float
    mean_ms: float
    std_ms: float
    num_samples: int


def corrected(samples: Mapping[K, Samples], /) -> dict[K, Array]:
    """Samples as a machine of steady speed would have given them: ratio x median of all reference times."""
    pace = float(np.median([ms for rounds in samples.values() for ms in rounds.reference_ms]))
    return {key: rounds.ratios * pace for key, rounds in samples.items()}


def summarised(values: Iterable[float], /) -> Summary:
    """Statistics of samples in ms, rounded to nanoseconds."""
    array = np.sort(np.asarray(list(values), dtype=np.float64))
    p10, median, p90 = np.quantile(array, (0.1, 0.5, 0.9))
    numbers = (median, p10, p90, array[0], array.mean(), array.std())
    names = ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "std_ms")
    return Summary(
        **{name: round(float(number), DIGITS) for name, number in zip(names, numbers, strict=True)},
        num_samples=len(array),
    )


def bootstrap_cv(values: Array, /, *, rng: np.random.Generator) -> float:
    """Coefficient of variation of the median: its standard deviation over resamples, over the median.

    A single sample says nothing about its spread: infinite.
    """
    if len(values) == 1:
        return math.inf
    medians = np.median(rng.choice(values, size=(NUM_RESAMPLES, len(values))), axis=1)
    return float(medians.std() / np.median(values))


def rest_samples(whole: Array, blocks: Iterable[Array], /, *, rest_ms: float) -> Array:
    """Per-round samples of what the blocks leave of the whole, moved so that their median is `rest_ms`, at least 0.

    Args:
        whole: Samples of the whole model (rounds).
        blocks: Samples of every block of it (rounds), each as often as it occurs.
        rest_ms: Median of the whole minus the blocks' medians.
    """
    differences = whole - np.sum(list(blocks), axis=0)
    rest: Array = np.maximum(differences - np.median(differences) + rest_ms, 0.0)
    return rest


def mean_absolute_percentage_error(predicted: Array, measured: Array, /) -> float:
    """Mean of |predicted - measured| / measured, as a share."""
    return float(np.mean(np.abs(predicted - measured) / measured))


def kendall_tau(predicted: Array, measured: Array, /) -> float:
    """Kendall's tau-a: pairs in the same order minus pairs in the other, over all pairs (at least one)."""
    upper = np.triu_indices(len(predicted), k=1)
    signs = [np.sign(np.subtract.outer(values, values)[upper]) for values in (predicted, measured)]
    return float(np.mean(signs[0] * signs[1]))
