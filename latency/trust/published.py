"""Published latencies of the Stable Diffusion 1.5 UNet: a plumb line for the unit and the batch of a table.

Only a table of the same model at the same workload on the same device is judged by a number; for all others the
nearest number is mere information. A base model off by more than a factor of two has a wrong unit or batch.
"""

import math
import re
from dataclasses import dataclass
from typing import Final

from latency.pricing.table import REST, LatencyTable
from search_spaces import BlockKind

SD15_MACS: Final = 401.6e9  # of one forward pass at 64x64 latents and 77 tokens
SAME_MODEL: Final = 0.03  # share by which MACs may differ: stems and embeddings are sometimes not counted
POSSIBLE_FACTOR: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published number.

    Attributes:
        device: Words that name the device, in lower case; any of them suffices.
        ms: Milliseconds per forward pass.
        runtime: What ran it, for the record.
        source: Who published it.
        dtype: Precision, as torch names it where it can; "" = not told.
        batch: Samples per forward pass; 0 = not told.
    """

    device: tuple[str, ...]
    ms: float
    runtime: str
    source: str
    dtype: str = ""
    batch: int = 0

    def __str__(self) -> str:
        """Such as "51.2 ms (a100, TensorRT, float32, batch 2; ...)"."""
        batch = f"batch {self.batch}" if self.batch else ""
        conditions = ", ".join(filter(None, (self.device[0], self.runtime, self.dtype, batch)))
        return f"{self.ms:g} ms ({conditions}; {self.source})"

    def applies_to(self, table: LatencyTable, /) -> bool:
        """Whether a table of SD-1.5 is of this device, precision and batch."""
        words = f"{table.device.name} {table.device.soc}".lower()
        return (
            self.batch in (0, table.workload.batch)
            and self.dtype in ("", table.workload.dtype)
            and any(re.search(rf"\b{re.escape(word)}\b", words) for word in self.device)
        )


QAI_HUB: Final = "perf.yaml of qai-hub-models"
STABLE_FAST: Final = "README of stable-fast, a step with guidance in the batch"
PUBLISHED: Final = (
    Published(device=("iphone 14 pro",), ms=1700.0, runtime="Core ML", source="SnapFusion, NeurIPS 2023"),
    Published(device=("a100",), dtype="float32", batch=2, ms=51.2, runtime="TensorRT", source="TensorRT"),
    Published(device=("8 gen 2", "qcs8550"), dtype="w8a16", batch=1, ms=108.0, runtime="QNN", source=QAI_HUB),
    Published(device=("8 gen 3",), dtype="w8a16", batch=1, ms=76.2, runtime="QNN", source=QAI_HUB),
    Published(device=("8 elite",), dtype="w8a16", batch=1, ms=58.1, runtime="QNN", source=QAI_HUB),
    Published(device=("h100",), dtype="float16", batch=2, ms=18.3, runtime="torch 2.1", source=STABLE_FAST),
    Published(device=("a100",), dtype="float16", batch=2, ms=28.1, runtime="torch 2.1", source=STABLE_FAST),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A table's base model beside a published number.

    Attributes:
        published: The number.
        base_ms: Base model by the table: measured in one piece, else the sum of its blocks.
        applies: Whether model, workload and device are the same.
    """

    published: Published
    base_ms: float
    applies: bool

    @property
    def factor(self) -> float:
        """Table over publication."""
        return self.base_ms / self.published.ms

    @property
    def possible(self) -> bool:
        """Whether the unit and the batch can be right, as far as this number can tell."""
        return not self.applies or 1 / POSSIBLE_FACTOR <= self.factor <= POSSIBLE_FACTOR


def compare(table: LatencyTable, /) -> Comparison | None:
    """The published number that applies to a table, else the nearest of SD-1.5; None for every other model."""
    if not _is_sd15(table):
        return None
    rest = sum(row.median_ms for row in table.rows if row.signature == REST)
    base_ms = table.end_to_end.median_ms if table.end_to_end else table.base_ms + rest
    applying = [one for one in PUBLISHED if one.applies_to(table)]
    nearest = min(applying or PUBLISHED, key=lambda one: abs(math.log(base_ms / one.ms)))
    return Comparison(published=nearest, base_ms=base_ms, applies=bool(applying))


def _is_sd15(table: LatencyTable) -> bool:
    """Whether the base model is SD-1.5 at its own latent size: by its work, since names are free."""
    w = table.workload
    macs = sum(
        row.signature.num_macs * len(row.sites) for row in table.rows if row.signature.kind is not BlockKind.REST
    )
    return (w.latent_height, w.latent_width) == (64, 64) and abs(macs - SD15_MACS) <= SAME_MODEL * SD15_MACS
