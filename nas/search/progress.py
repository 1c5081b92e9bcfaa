"""Where a search stands, for those who watch it, and who does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from nas.scores.intervals import Interval
from nas.search.costs.pace import CostEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `total` pieces of a phase, the last round's figures, and the work of the whole search so far.

    Attributes:
        phase: "robust training", "recovery" or "scoring".
        round: Counts trainings from 0.
        done: Pieces of the phase that are done.
        total: All of them.
        latency_ms: Predicted for the architecture of the round.
        target_latency_ms: The objective.
        clip: Score of the latest architecture; None before the first.
        num_pictures: Pictures of the whole search so far, made now or found in the store.
        num_training_steps: Training steps of the whole search so far, done now or found done.
        num_passes: UNet passes of the whole search so far for other scores than its own, likewise.
    """

    phase: str
    round: int
    done: int
    total: int
    latency_ms: float
    target_latency_ms: float
    clip: float | None
    num_pictures: int
    num_training_steps: int
    num_passes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDone:
    """A round that is over, and what it led to.

    Attributes:
        round: Counts trainings from 0.
        latency_ms: Predicted for the architecture of the round.
        score: Of it; None where the algorithm scored no reference.
        actions: What is executed next, such as "-resnet[mid,0]".
        stop: Why nothing more is; None while the search goes on.
        notes: What else the algorithm tells, by name.
    """

    round: int
    latency_ms: float
    score: Interval | None
    actions: tuple[str, ...]
    stop: str | None
    notes: Mapping[str, float | str] = field(default_factory=dict)

    def sentence(self, *, score: str) -> str:
        """What came of it, in one line.

        Args:
            score: What its score is called.
        """
        scored = "" if self.score is None else f", {score} {self.score.mean:.4f}"
        what = [", ".join(f"{name} {_shown(value)}" for name, value in self.notes.items())] if self.notes else []
        if self.actions:
            what.append(f"then {' '.join(self.actions)}")
        elif self.stop or not self.notes:
            what.append(f"the end: {self.stop or 'nothing more to do'}")
        return f"round {self.round} done: {self.latency_ms:.2f} ms{scored}; {'; '.join(what)}"


Started = Callable[[int, int], None]


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _silent(*args: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Who is told how a search goes; each must be quick.

    Attributes:
        on_progress: Called often.
        on_round: Called when a round is over; a run that is continued tells its earlier rounds again.
        on_start: Called with (workers ready, workers in all) while they are waited for.
        on_estimate: Called once with what a new search is going to cost; None = do without the warm-up.
    """

    on_progress: Callable[[Progress], None] = _silent
    on_round: Callable[[RoundDone], None] = _silent
    on_start: Started = _silent
    on_estimate: Callable[[CostEstimate], None] | None = None


NOBODY: Final = Listeners()
