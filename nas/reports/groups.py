"""Groups of runs that differ in their seed alone: their spread, and whether two of them differ, seed by seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Final

import numpy as np

from nas.config.identity.places import without_places
from nas.runs.changes import changed_keys
from nas.runs.run import Run

_MIN_PAIRS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTest:
    """Whether two groups of runs differ, seed by seed.

    Attributes:
        first: Number of a group.
        second: Number of another.
        seeds: That both have.
        mean_difference: Of hypervolumes, second minus first.
        p_permutation: Two-sided, by every exchange of a pair; exact below about 13 pairs.
        p_wilcoxon: Two-sided, signed ranks; NaN where all differences are 0.
    """

    first: int
    second: int
    seeds: tuple[int, ...]
    mean_difference: float
    p_permutation: float
    p_wilcoxon: float


def groups_of(runs: Sequence[Run], /) -> list[int]:
    """The number of each run's group: runs that differ in their seed alone."""
    configs, groups = list[Mapping[str, Any]](), list[int]()
    for run in runs:
        config = without_places(run.config)
        own = next((n for n, other in enumerate(configs) if not changed_keys(other, config) - {"seed"}), len(configs))
        if own == len(configs):
            configs.append(config)
        groups.append(own)
    return groups


def spread_of(values: Sequence[float], /) -> tuple[float, float, int]:
    """Mean and standard deviation, NaN of a single one, and how many they are."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else nan, len(values)


def test_of(one: Mapping[int, float], other: Mapping[int, float], /, *, first: int, second: int) -> GroupTest | None:
    """A paired test of two groups; None where they share less than two seeds.

    Args:
        one: Hypervolumes of a group, by seed.
        other: Those of another.
        first: Number of the one.
        second: Number of the other.
    """
    from scipy.stats import permutation_test, wilcoxon  # slow to import, and a single run needs none

    seeds = tuple(sorted(one.keys() & other.keys()))
    if len(seeds) < _MIN_PAIRS:
        return None
    pairs = np.array([one[seed] for seed in seeds]), np.array([other[seed] for seed in seeds])
    differences = pairs[1] - pairs[0]
    exchanged = permutation_test(
        pairs, lambda a, b: np.mean(b - a), permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
    )
    return GroupTest(
        first=first,
        second=second,
        seeds=seeds,
        mean_difference=float(differences.mean()),
        p_permutation=float(exchanged.pvalue),
        p_wilcoxon=float(wilcoxon(differences).pvalue) if differences.any() else nan,
    )
