"""A formula for blocks: milliseconds linear in multiply-accumulates, parameters and blocks of each kind.

For a device that has no table yet: three numbers from a data sheet, or from a fit of a few measured models. It prices
every space, which says nothing about how true it is: its relative error is stated by whoever gives the numbers. Pure.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from latency.pricing.prediction import BlockLatency, LatencyPrediction
from search_spaces import BlockKind, BlockSignature, Site
from search_spaces.files.user_error import UserError

GIGA: Final = 1e9
MEGA: Final = 1e6
DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """The numbers of a formula, which are its settings; each is the share of one quantity in a forward pass.

    Attributes:
        model: Name of the base model, for the record.
        device: Name of the machine, for the record.
        relative_error: Relative standard error of what it says, in (0, 1).
        ms_per_gmac: Milliseconds per 10^9 multiply-accumulates, for the whole batch.
        ms_per_mparam: Milliseconds per 10^6 parameters: reading weights.
        ms_per_block: Milliseconds per block, by kind: launching kernels.
        fixed_ms: What every architecture costs besides.
        compute_unit: "cpu", "gpu", "npu"; "" = not told.
        runtime: What runs the model; "" = not told.
    """

    model: str
    device: str
    relative_error: float
    ms_per_gmac: float = 0.0
    ms_per_mparam: float = 0.0
    ms_per_block: Mapping[BlockKind, float] = field(default_factory=dict)
    fixed_ms: float = 0.0
    compute_unit: str = ""
    runtime: str = ""

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("ms_per_gmac", "ms_per_mparam", "fixed_ms")}
        numbers |= {f"ms_per_block[{kind}]": ms for kind, ms in self.ms_per_block.items()}
        wrong = [
            f"`{name}` must be at least 0 and finite, but got {value}"
            for name, value in numbers.items()
            if not 0 <= value < math.inf
        ]
        if not 0 < self.relative_error < 1:
            wrong.append(f"`relative_error` must lie between 0 and 1, but got {self.relative_error}")
        if not any((self.ms_per_gmac, self.ms_per_mparam, *self.ms_per_block.values())):
            wrong.append("one of `ms_per_gmac`, `ms_per_mparam` and `ms_per_block` must be above 0, but none is")
        shortcut, resnet = (self.ms_per_block.get(kind, 0.0) for kind in (BlockKind.SHORTCUT, BlockKind.RESNET))
        if shortcut > resnet:
            wrong.append(
                "`ms_per_block` of a shortcut must be at most that of a resnet, which it is what stays of, "
                f"but got {shortcut} and {resnet}"
            )
        if BlockKind.REST in self.ms_per_block:
            wrong.append("`ms_per_block` must hold no `rest`, which is no block; give `fixed_ms`")
        if wrong:
            raise UserError("; ".join(wrong))

    @property
    def digest(self) -> str:
        """Digest of its numbers."""
        content = json.dumps({"source": "formula"} | asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]

    @property
    def rest_ms(self) -> float:
        """What every architecture costs besides its blocks."""
        return self.fixed_ms

    def require(self, signatures: Iterable[BlockSignature], /) -> None:
        """Nothing: it has a price for every block."""

    def milliseconds(self, signature: BlockSignature, /) -> float:
        """Milliseconds of one block."""
        return (
            self.ms_per_gmac * signature.num_macs / GIGA
            + self.ms_per_mparam * signature.num_params / MEGA
            + self.ms_per_block.get(signature.kind, 0.0)
        )

    def predict(self, sites: Iterable[Site], /) -> LatencyPrediction:
        """Latency of one forward pass; its error is the formula's, all blocks erring alike."""
        blocks = [
            BlockLatency(
                name=site.name,
                stage=site.stage,
                position=site.position,
                kind=site.signature.kind,
                ms=self.milliseconds(site.signature),
            )
            for site in sites
        ]
        rest = BlockLatency(name=str(BlockKind.REST), stage="", position=-1, kind=BlockKind.REST, ms=self.fixed_ms)
        breakdown = (*blocks, rest)
        return LatencyPrediction(
            breakdown=breakdown, error_ms=self.relative_error * math.fsum(block.ms for block in breakdown)
        )
