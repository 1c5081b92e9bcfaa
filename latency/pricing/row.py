"""A row of a latency table: how long blocks of one signature take, as samples tell it. Pure."""

import math
from dataclasses import dataclass, fields
from typing import Final

from latency.pricing.scenario import LatencyTableError, Method
from search_spaces import BlockKind, BlockSignature

# Standard error of a median over (p90 - p10) / sqrt(n), for normal samples: sqrt(pi / 2) / (2 * 1.2816).
_MEDIAN_ERROR: Final = math.sqrt(math.pi / 2) / (2 * 1.2816)
MAX_MS: Final = 1e9  # eleven days: no forward pass, but a count of nanoseconds taken for milliseconds


def median_error(p10: float, p90: float, /, *, num_samples: int) -> float:
    """Standard error of a median of normal samples, from their spread: 0.489 (p90 - p10) / sqrt(n), in their unit."""
    return _MEDIAN_ERROR * (p90 - p10) / math.sqrt(num_samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """The latency of one signature, for the workload's whole batch.

    A row of kind `rest` is what the blocks leave of the end-to-end latency (concatenations, glue, Python between
    blocks); where blocks alone sum to more than the whole it is 0, the only row that may be.

    Attributes:
        signature: The key.
        median_ms: The value that predictions use.
        p10_ms: 10th percentile of the samples.
        p90_ms: 90th percentile of the samples.
        min_ms: Smallest sample.
        mean_ms: Mean of the samples.
        std_ms: Standard deviation of the samples.
        num_samples: How many samples.
        source: How this row's number came to be.
        sites: diffusers' module names of the base model's blocks that have this signature.
        file: File that the number was imported from.
        note: Anything else worth knowing, such as calls per sample.
    """

    signature: BlockSignature
    median_ms: float
    p10_ms: float
    p90_ms: float
    min_ms: float
    mean_ms: float
    std_ms: float
    num_samples: int
    source: Method
    sites: tuple[str, ...] = ()
    file: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        wrong = []
        times = {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_ms")}
        may_be_zero = self.signature.kind is BlockKind.REST
        for name, value in times.items():
            least_is_fine = value >= 0 if may_be_zero or name == "std_ms" else value > 0
            if not (math.isfinite(value) and least_is_fine):
                wrong.append(f"`{name}` must be positive and finite, but got {value}")
            elif value > MAX_MS:
                wrong.append(f"`{name}` must be at most {MAX_MS:g} ms, but got {value}; look for a wrong unit")
        if not self.min_ms <= self.p10_ms <= self.median_ms <= self.p90_ms:
            order = ", ".join(str(times[name]) for name in ("min_ms", "p10_ms", "median_ms", "p90_ms"))
            wrong.append(f"min_ms <= p10_ms <= median_ms <= p90_ms must hold, but got {order}")
        if not 1 <= self.num_samples <= MAX_MS:
            wrong.append(f"`num_samples` must be at least 1 and possible, but got {self.num_samples}")
        if wrong:
            raise LatencyTableError(f"{self.signature}: " + "; ".join(wrong))

    @property
    def has_spread(self) -> bool:
        """Whether samples tell how uncertain the median is; where they do not, `median_error_ms` is 0 all the same."""
        return self.num_samples > 1 and self.p90_ms > self.p10_ms

    @property
    def median_error_ms(self) -> float:
        """Standard error of the median, from the spread of the samples."""
        return median_error(self.p10_ms, self.p90_ms, num_samples=self.num_samples)
