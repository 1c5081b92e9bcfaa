"""Multiply-accumulates per second of a whole table: what gives a wrong unit away for any model, on any device. Pure.

A slip from microseconds to milliseconds is a factor of a thousand. No device is a thousand times slower than the
slowest that runs such models at all, and few are a thousand times faster than what a table names: one core, a CPU,
anything.
"""

from dataclasses import dataclass
from typing import Final

from latency.pricing.table import LatencyTable
from search_spaces import BlockKind

# One in-order core of 2012 (Cortex-A53 at 1.2 GHz) has a peak of 2.4e9 in float32; a twelfth of it is bad code.
SLOWEST: Final = 2e8
SLOWEST_ACCELERATOR: Final = 2e9  # a thirtieth of the peak of a small phone's GPU of 2016 (Adreno 506, 6.5e10)
# Besides, every block may wait for a launch; the slowest measured in this project is 0.1 ms (OpenVINO).
SLOWEST_LAUNCH_MS: Final = 1.0
# Peaks by their makers' data sheets, in multiply-accumulates per second.
PER_THREAD: Final = 2e12  # a core with a matrix unit: Apple M4 (1e12 in float32), Xeon with AMX (2e12 in bfloat16)
CPU: Final = 1e15  # two Xeon 6980P with AMX in bfloat16
ANYTHING: Final = 5e15  # Nvidia B200 in 4 bits without sparsity


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast a table says that a device computes its base model.

    Attributes:
        num_macs: Of one forward pass of the whole batch.
        ms: That it takes: measured in one piece, else the sum of its rows.
        num_blocks: How many blocks it has.
        least: Multiply-accumulates per second that such a device has at least.
        most: Those that it can have.
        device: What such a device is, in words.
    """

    num_macs: int
    ms: float
    num_blocks: int
    least: float
    most: float
    device: str

    @property
    def macs_per_second(self) -> float:
        """The rate."""
        return self.num_macs / self.ms * 1e3

    @property
    def flaw(self) -> str:
        """Why the unit must be wrong; "" where it may be right."""
        if self.ms > self.num_macs / self.least * 1e3 + self.num_blocks * SLOWEST_LAUNCH_MS:
            return (
                f"no such device is slower than {self.least / 1e9:g} GMACs a second and "
                f"{SLOWEST_LAUNCH_MS:g} ms a block; look for a wrong unit, such as microseconds taken for milliseconds"
            )
        if self.macs_per_second > self.most:
            return (
                f"{self.device} has at most {self.most / 1e9:,.0f}; look for a wrong unit, such as seconds taken for "
                "milliseconds"
            )
        return ""

    def __str__(self) -> str:
        """Such as "the base model's 0.079 GMACs in 10.6 ms are 7.4 GMACs a second"."""
        rate = self.macs_per_second / 1e9
        return f"the base model's {self.num_macs / 1e9:,.3f} GMACs in {self.ms:,.4g} ms are {rate:,.3g} GMACs a second"


def speed_of(table: LatencyTable, /) -> Speed | None:
    """The speed of a table; None where no row is a block of the base model."""
    own = [row for row in table.rows if row.sites and row.signature.kind is not BlockKind.REST]
    num_macs = table.workload.batch * sum(row.signature.num_macs * len(row.sites) for row in own)
    ms = table.end_to_end.median_ms if table.end_to_end is not None else table.base_ms + table.rest_ms
    if not num_macs:
        return None
    most, device = _most(table)
    return Speed(
        num_macs=num_macs,
        ms=ms,
        num_blocks=sum(len(row.sites) for row in own),
        least=SLOWEST if table.device.compute_unit.lower() in ("", "cpu") else SLOWEST_ACCELERATOR,
        most=most,
        device=device,
    )


def _most(table: LatencyTable) -> tuple[float, str]:
    """The highest rate of such a device, and what it is."""
    if table.device.compute_unit.lower() != "cpu":
        return ANYTHING, "the fastest device"
    threads = next((value for name, value in table.runtime.options if name.lower().endswith("threads")), "")
    if threads.isdecimal() and int(threads) > 0:
        return min(CPU, int(threads) * PER_THREAD), f"a CPU with {threads} thread{'s'[: threads != '1']}"
    return CPU, "the fastest CPU"
