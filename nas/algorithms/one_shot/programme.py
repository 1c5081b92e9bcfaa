"""The mixed-integer programme of the knapsack: the edits that lose least while they save enough, exactly. Pure.

An edit that can be executed several times has a variable for each time, the second only with the first. A pair term
is the product of two variables, made linear by a third. Solved by HiGHS, which scipy brings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

MAX_NODES: Final = 20_000  # of the branch and bound: a bound in work, not in time, so that any machine finds the same
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What is to be chosen: minimise `losses · x + sum of pairs[i, j] x_i x_j` with `savings · x >= need`.

    Attributes:
        losses: Of each variable.
        savings: One row per limit, one column per variable.
        need: One per limit.
        chains: Pairs (i, j): j only with i.
        pairs: Further loss where both are chosen; negative where they lose less than their sum.
    """

    losses: Vector
    savings: Vector
    need: Vector
    chains: tuple[tuple[int, int], ...] = ()
    pairs: Mapping[tuple[int, int], float] = field(default_factory=dict)


class _Rows:
    """Rows of constraints `low <= a · x`, a few entries each."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, float]] = []
        self._low: list[float] = []

    def add(self, columns: Sequence[int], values: Sequence[float], /, *, low: float) -> None:
        """A constraint."""
        row = len(self._low)
        self._entries += [(row, column, value) for column, value in zip(columns, values, strict=True)]
        self._low.append(low)

    def constraint(self, num_columns: int) -> Any:
        """All of them, as scipy has them."""
        rows, columns, values = zip(*self._entries, strict=True)
        matrix = coo_array((values, (rows, columns)), shape=(len(self._low), num_columns)).tocsr()
        return LinearConstraint(matrix, lb=np.array(self._low))


def solve(programme: Programme, /) -> tuple[int, ...] | None:
    """The best choice, a 0 or 1 per variable; None where nothing saves enough."""
    num, pairs = len(programme.losses), sorted(programme.pairs)
    rows = _Rows()
    for savings, need in zip(programme.savings, programme.need, strict=True):
        rows.add(range(num), savings.tolist(), low=float(need))
    for before, after in programme.chains:
        rows.add((before, after), (1.0, -1.0), low=0.0)
    for index, (i, j) in enumerate(pairs):
        both = num + index
        if programme.pairs[i, j] > 0:
            rows.add((both, i, j), (1.0, -1.0, -1.0), low=-1.0)
        else:
            rows.add((i, both), (1.0, -1.0), low=0.0)
            rows.add((j, both), (1.0, -1.0), low=0.0)
    cost = np.concatenate([programme.losses, [programme.pairs[pair] for pair in pairs]])
    found = milp(
        cost,
        integrality=np.repeat([1, 0], [num, len(pairs)]),
        bounds=Bounds(0, 1),
        constraints=rows.constraint(len(cost)),
        options={"node_limit": MAX_NODES},
    )
    if found.x is None:
        return None
    return tuple(round(value) for value in found.x[:num])
