"""The group that values choose: greedy, the best first, until it is full, the target is met, or nothing fits any more.

The same choice is made for many sets of values at once, so that what a decision might be can be asked of many draws of
what the true losses may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nas.values.sample import Floats

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is chosen among K contestants that save milliseconds.

    Attributes:
        saved_ms: (K,) positive.
        num: Places of the group.
        highest: Whether the highest values win, as among copies.
        needed_ms: The group ends once it saves so many; None = it is filled.
        excludes: Pairs of contestants that cannot both be in it, as those that share a block cannot.
        larger_first: Among equal values the larger saving goes first, or of copies the smaller cost; else the order of
            the contestants decides alone.
    """

    saved_ms: tuple[float, ...]
    num: int
    highest: bool = False
    needed_ms: float | None = None
    excludes: frozenset[tuple[int, int]] = field(default_factory=frozenset)
    larger_first: bool = True

    def order(self, values: Floats, /) -> npt.NDArray[np.int64]:
        """Contestants by their values, the best first, equal ones deliberately: (..., K) to (..., K)."""
        saved = np.broadcast_to(np.array(self.saved_ms), values.shape)
        sign = -1.0 if self.highest else 1.0
        if self.larger_first:
            return np.lexsort((-sign * saved, sign * values), axis=-1)
        places = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
        return np.lexsort((sign * places, sign * values), axis=-1)

    def members(self, values: Floats, /) -> Bools:
        """Who is in the group: (S, K) values to (S, K)."""
        order, num_sets = self.order(values), len(values)
        apart, saved = self._apart(), np.array(self.saved_ms)
        rows, chosen = np.arange(num_sets), np.zeros(values.shape, dtype=np.bool_)
        blocked, total = np.zeros(values.shape, dtype=np.bool_), np.zeros(num_sets)
        sizes = np.zeros(num_sets, dtype=np.int64)
        needed = np.inf if self.needed_ms is None else self.needed_ms
        for candidates in order.T:
            fits = (sizes < self.num) & (total < needed) & ~blocked[rows, candidates]
            chosen[rows[fits], candidates[fits]] = True
            total += fits * saved[candidates]
            sizes += fits
            if apart is not None:
                blocked |= fits[:, None] & apart[candidates]
        return chosen

    def group(self, values: Floats, /) -> tuple[int, ...]:
        """The group of one set of values (K,), best first."""
        members = self.members(values[None])[0]
        return tuple(int(index) for index in self.order(values) if members[index])

    def _apart(self) -> Bools | None:
        if not self.excludes:
            return None
        apart = np.zeros((len(self.saved_ms),) * 2, dtype=np.bool_)
        for one, other in self.excludes:
            apart[one, other] = apart[other, one] = True
        return apart


def renumbered(pairs: frozenset[tuple[int, int]], numbers: Mapping[int, int], /) -> frozenset[tuple[int, int]]:
    """Pairs of indices as pairs of the numbers that stand for them; others are left out."""
    return frozenset((numbers[a], numbers[b]) for a, b in pairs if a in numbers and b in numbers)
