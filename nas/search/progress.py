"""Where a search stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a search stands: `done` of `total` pieces of a phase, and the last round's figures."""

    phase: str
    round: int
    done: int
    total: int
    latency_ms: float
    target_latency_ms: float
    clip: float | None
