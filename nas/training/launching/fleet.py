"""The processes that train one model together: the seam at which training is distributed.

Each rank works through its own rows of a step's batch and holds the same weights; after its backward passes the
gradients are averaged, and all ranks take the same step. One process alone averages nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from torch import Tensor


class Fleet(Protocol):
    """The processes that train together, as one of them sees them."""

    @property
    def rank(self) -> int:
        """Of this process, from 0; rank 0 writes what is written."""
        ...

    @property
    def world(self) -> int:
        """How many there are."""
        ...

    def average(self, tensors: Sequence[Tensor], /) -> None:
        """Give each tensor, in place, its mean over all ranks, which pass tensors of equal shapes in equal order."""
        ...

    def gathered(self, names: Sequence[str], /) -> list[str]:
        """The names that all ranks give, one rank after the other; all ask at once."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """One process that trains by itself."""

    rank: int = 0
    world: int = 1

    def average(self, tensors: Sequence[Tensor], /) -> None:
        """Nothing: a mean of one."""

    def gathered(self, names: Sequence[str], /) -> list[str]:
        """Its own."""
        return list(names)


ALONE: Final = Alone()
