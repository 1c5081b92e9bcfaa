"""Reading: one model's time as a profiler reported it, in milliseconds, with where the number comes from."""

import math
from dataclasses import asdict, dataclass, fields

from latency.pricing.row import MAX_MS
from latency.pricing.scenario import LatencyTableError
from latency.timing.estimator import summarised


class ReportError(LatencyTableError):
    """A profiler's report that cannot be imported; the message says what it must hold and what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The time of one forward pass.

    Attributes:
        median_ms: The value that counts.
        p10_ms: 10th percentile, or what the report has nearest below it; the note says which.
        p90_ms: 90th percentile, or what the report has nearest above it.
        min_ms: Smallest sample.
        mean_ms: Mean.
        std_ms: Standard deviation; 0 where the report has none, as the note says.
        num_samples: How many runs these are statistics of.
        clock: What was timed by which clock, in the tool's own terms.
        unit: Unit in the report.
        key: What the user called this model inside a report of many; "" = one report, one model.
        model: Model file that the tool says it ran, perhaps a copy under another name; "" where it is silent.
        estimated: Whether a tool made the number up from others instead of measuring it.
        batch: Batch size that the report states.
        dtype: Precision that the report states, as torch names it.
        compute_unit: Unit of the device that the report states, in lower case.
        note: What else must be known.

    Raises:
        ReportError: Times that are not positive, absurdly long, or not in order.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    min_ms: float
    mean_ms: float
    std_ms: float
    num_samples: int
    clock: str
    unit: str
    key: str = ""
    model: str = ""
    estimated: bool = False
    batch: int | None = None
    dtype: str = ""
    compute_unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        times = {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_ms")}
        wrong = [
            f"`{name}` must be positive and at most {MAX_MS:.0e} ms, but got {value}"
            for name, value in times.items()
            if not (0 < value <= MAX_MS or (name == "std_ms" and value == 0))
        ]
        order = (self.min_ms, self.p10_ms, self.median_ms, self.p90_ms)
        if not wrong and not order[0] <= order[1] <= order[2] <= order[3]:
            wrong.append(f"min <= p10 <= median <= p90 must hold, but got {', '.join(map(str, order))} ms")
        if not 1 <= self.num_samples <= MAX_MS:
            wrong.append(f"`num_samples` must be at least 1, but got {self.num_samples}")
        if wrong:
            raise ReportError("; ".join(wrong))


def reading_of(
    samples_ms: list[float],
    /,
    *,
    clock: str,
    unit: str,
    key: str = "",
    estimated: bool = False,
    compute_unit: str = "",
    note: str = "",
) -> Reading:
    """The reading of single runs.

    Args:
        samples_ms: Time of every run, at least one.
        clock: As in `Reading`.
        unit: As in `Reading`.
        key: As in `Reading`.
        estimated: As in `Reading`.
        compute_unit: As in `Reading`.
        note: As in `Reading`.

    Raises:
        ReportError: There are no samples, or one is not a positive time.
    """
    if not samples_ms:
        raise ReportError("a report must hold at least one run, but it holds none")
    bad = [ms for ms in samples_ms if not (math.isfinite(ms) and 0 < ms <= MAX_MS)]
    if bad:
        raise ReportError(f"every run must take a positive time of at most {MAX_MS:.0e} ms, but got {bad[:3]}")
    return Reading(
        **asdict(summarised(samples_ms)),
        clock=clock,
        unit=unit,
        key=key,
        estimated=estimated,
        compute_unit=compute_unit,
        note=note,
    )
