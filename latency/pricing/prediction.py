"""The predicted latency of one architecture, block by block, and of a picture made with it, with their uncertainty."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import fsum, inf
from typing import Final, TypeVar

from search_spaces import BlockKind
from search_spaces.files.user_error import UserError

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
        ms: Its milliseconds, the median of the runs that were measured.
        p10_ms: A tenth of them was quicker; None where nothing was measured.
        p90_ms: A tenth of them was slower; None where nothing was measured.
    """

    name: str
    stage: str
    position: int
    kind: BlockKind
    ms: float
    p10_ms: float | None = None
    p90_ms: float | None = None


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


class Guidance(StrEnum):
    """How classifier-free guidance gets its second, unconditional prediction."""

    NONE = "none"
    """There is none: one run of the text encoder, one of the UNet per step."""
    IN_BATCH = "in-batch"
    """Both halves are one batch, whose latency the UNet's is: one run per step."""
    TWICE = "twice"
    """One after the other: two runs per step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLatency:
    """Milliseconds from a prompt to its picture (SnapFusion, Table 1 and section 1).

    Where a forward pass makes several pictures, they are made together in this time.

    Attributes:
        unet: One forward pass of the UNet.
        num_steps: Denoising steps.
        guidance: How often UNet and text encoder run.
        text_encoder_ms: One run of the text encoder; guidance needs a second one, for the empty prompt.
        decoder_ms: The run of the decoder.
    """

    unet: LatencyPrediction
    num_steps: int
    guidance: Guidance
    text_encoder_ms: float = 0.0
    decoder_ms: float = 0.0

    def __post_init__(self) -> None:
        wrong = [] if self.num_steps >= 1 else [f"`num_steps` must be at least 1, but got {self.num_steps}"]
        wrong += [
            f"`{name}` must be at least 0 and finite, but got {getattr(self, name)}"
            for name in ("text_encoder_ms", "decoder_ms")
            if not 0 <= getattr(self, name) < inf
        ]
        if wrong:
            raise UserError("; ".join(wrong))

    @property
    def num_unet_runs(self) -> int:
        """Forward passes of the UNet."""
        return self.num_steps * (2 if self.guidance is Guidance.TWICE else 1)

    @property
    def num_text_encoder_runs(self) -> int:
        """Runs of the text encoder."""
        return 1 if self.guidance is Guidance.NONE else 2

    @property
    def total_ms(self) -> float:
        """Text encoder, all steps of the UNet, decoder."""
        unet_ms = self.num_unet_runs * self.unet.total_ms
        return fsum((self.num_text_encoder_runs * self.text_encoder_ms, unet_ms, self.decoder_ms))

    @property
    def error_ms(self) -> float:
        """Standard error of the total: every run of the UNet errs alike, text encoder and decoder count as exact."""
        return self.num_unet_runs * self.unet.error_ms

    @property
    def low_ms(self) -> float:
        """Lower end of the 95 % interval of the total."""
        return max(0.0, self.total_ms - Z_95 * self.error_ms)

    @property
    def high_ms(self) -> float:
        """Upper end of the 95 % interval of the total."""
        return self.total_ms + Z_95 * self.error_ms
