"""Where a search stands, for those who watch it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` pieces of a phase, and the last round's figures.

    Attributes:
        phase: "robust training", "recovery" or "scoring".
        round: Counts trainings from 0.
        done: Pieces of the phase that are done.
        total: All of them.
        latency_ms: Predicted for the architecture of the round.
        target_latency_ms: The objective.
        clip: Score of the latest architecture; None before the first.
    """

    phase: str
    round: int
    done: int
    total: int
    latency_ms: float
    target_latency_ms: float
    clip: float | None
