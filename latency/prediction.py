"""LatencyPrediction: the predicted latency of one architecture, block by block, with its uncertainty."""

from collections.abc import Callable
from dataclasses import dataclass
from math import fsum
from typing import Final, TypeVar

from search_spaces import BlockKind

K = TypeVar("K")
Z_95: Final = 1.96  # standard errors on either side of the middle that hold 95 % of a normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLatency:
    """One block's share.

    Attributes:
        name: diffusers' module name; "rest" for what belongs to no block.
        stage: Place of its stage; "" outside of the stages (stem, tail, time embedding, rest).
        position: Index of its position in the base model's stage; -1 for samplers and outside of the stages.
        kind: Kind of block.
        ms: Its milliseconds.
    """

    name: str
    stage: str
    position: int
    kind: BlockKind
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyPrediction:
    """What one forward pass of an architecture costs.

    Attributes:
        breakdown: Every block in the order of the forward pass, then the rest.
        error_ms: Standard error of the total; see `LatencyTable.predict`.
    """

    breakdown: tuple[BlockLatency, ...]
    error_ms: float

    @property
    def total_ms(self) -> float:
        """Sum of the breakdown."""
        return fsum(block.ms for block in self.breakdown)

    @property
    def low_ms(self) -> float:
        """Lower end of the 95 % interval of the total."""
        return max(0.0, self.total_ms - Z_95 * self.error_ms)

    @property
    def high_ms(self) -> float:
        """Upper end of the 95 % interval of the total."""
        return self.total_ms + Z_95 * self.error_ms

    def by_stage(self) -> dict[str, float]:
        """Milliseconds per stage in the order of the forward pass; "" = outside of the stages."""
        return self._grouped(lambda block: block.stage)

    def by_kind(self) -> dict[BlockKind, float]:
        """Milliseconds per kind of block."""
        return self._grouped(lambda block: block.kind)

    def _grouped(self, key: Callable[[BlockLatency], K]) -> dict[K, float]:
        groups: dict[K, list[float]] = {}
        for block in self.breakdown:
            groups.setdefault(key(block), []).append(block.ms)
        return {name: fsum(values) for name, values in groups.items()}
