"""The sub-space of a tabular benchmark behind the door of search spaces: an edit flips a bit of a number."""

from dataclasses import dataclass
from functools import cached_property, total_ordering
from typing import Any, Self

import numpy as np

from nas.tabular.benchmark import Benchmark
from search_spaces.actions import Sign
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True)
class Row:
    """An architecture: bit i of its number says whether edit i is executed."""

    mask: int

    @property
    def arch_id(self) -> str:
        """The number."""
        return f"{self.mask:x}"

    def to_dict(self) -> dict[str, Any]:
        """The number."""
        return {"mask": self.mask}


@total_ordering
@dataclass(frozen=True, slots=True)
class Flip:
    """One block goes, or comes back."""

    bit: int
    sign: Sign
    block: str

    def __str__(self) -> str:
        return f"{self.sign}{self.block}"

    def __lt__(self, other: Any, /) -> bool:
        return (self.sign, self.bit) < (other.sign, other.bit)

    def is_done(self, architecture: Row, /) -> bool:
        """Whether the block is where it would be after it."""
        return (architecture.mask >> self.bit & 1) == (self.sign is Sign.REMOVE)

    @property
    def inverse(self) -> Self:
        """The other direction."""
        return type(self)(self.bit, self.sign.opposite, self.block)

    def apply(self, architecture: Row, /) -> Row:
        """The architecture after it.

        Raises:
            ValueError: The block has gone already, or is there.
        """
        if self.is_done(architecture):
            raise UserError(f"{self} cannot be executed: it is done already")
        return Row(architecture.mask ^ 1 << self.bit)


class TabularSpace:
    """All architectures of a benchmark's sub-space.

    Args:
        benchmark: Whose.
    """

    def __init__(self, benchmark: Benchmark, /) -> None:
        self._benchmark = benchmark
        blocks = benchmark.edits[: benchmark.num_searched]
        self._flips = {sign: tuple(Flip(bit, sign, block) for bit, block in enumerate(blocks)) for sign in Sign}

    @property
    def base(self) -> Row:
        """Nothing has gone."""
        return Row(0)

    @cached_property
    def digest(self) -> str:
        """Of its blocks."""
        return " ".join(map(str, self._flips[Sign.REMOVE]))

    @property
    def block_names(self) -> frozenset[str]:
        """Blocks that may go."""
        return frozenset(flip.block for flip in self._flips[Sign.REMOVE])

    def removals(self, architecture: Row, /) -> tuple[Flip, ...]:
        """Blocks that are there."""
        return tuple(flip for flip in self._flips[Sign.REMOVE] if not architecture.mask >> flip.bit & 1)

    def copies(self, architecture: Row, /) -> tuple[Flip, ...]:
        """Blocks that have gone."""
        return tuple(flip for flip in self._flips[Sign.COPY] if architecture.mask >> flip.bit & 1)

    def why_not(self, action: Flip, /, *, architecture: Row) -> str | None:
        """Why a block cannot go or come back."""
        return f"{action} cannot be executed: it is done already" if action.is_done(architecture) else None

    def touched(self, action: Flip, /) -> frozenset[str]:
        """The block."""
        return frozenset({action.block})

    def takes_copy(self, action: Flip, /, *, architecture: Row) -> bool:
        """There are no copies."""
        return False

    def check(self, architecture: Row, /) -> None:
        """Check that an architecture is recorded.

        Raises:
            ValueError: It is not.
        """
        if not 0 <= architecture.mask < self._benchmark.size:
            raise UserError(f"an architecture must be below {self._benchmark.size}, but is {architecture.mask}")

    def sample(self, rng: np.random.Generator, /) -> Row:
        """Any, all alike."""
        return Row(int(rng.integers(self._benchmark.size)))

    def num_params(self, architecture: Row, /) -> int:
        """As recorded."""
        return int(self._benchmark.num_params[architecture.mask])

    def num_macs(self, architecture: Row, /) -> int:
        """As recorded."""
        return int(self._benchmark.num_macs[architecture.mask])

    def summary(self, architecture: Row, /) -> str:
        """How many blocks have gone."""
        return f"{architecture.mask.bit_count()} of {self._benchmark.num_searched} blocks removed"
