"""The value score of an action: CLIP lost per millisecond saved (SnapFusion, section 3.2 and Algorithm 1).

How the loss is weighed before it is divided is the rule's: `nas.values.weighing`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from nas.scores.intervals import Interval
from search_spaces.search_space import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredAction:
    """A removal with what it costs and what it saves.

    Attributes:
        action: An A-.
        d_clip: CLIP score lost by it, positive = worse.
        d_latency_ms: Milliseconds saved by it according to the latency table.
        weighed: The loss as a value rule weighs it; None = its mean, as in the paper.
    """

    action: Edit
    d_clip: Interval
    d_latency_ms: float
    weighed: float | None = None

    @property
    def loss(self) -> float:
        """CLIP score lost, as it is weighed."""
        return self.d_clip.mean if self.weighed is None else self.weighed

    @property
    def value(self) -> float:
        """dCLIP / dLatency, in CLIP score per millisecond.

        A removal that saves nothing is worth infinitely much if it costs anything, and is never the cheapest.
        """
        if self.d_latency_ms <= 0:
            return float("inf")
        return self.loss / self.d_latency_ms


def ranked(scored: Iterable[ScoredAction], /) -> tuple[ScoredAction, ...]:
    """Cheapest loss first; equal values stand in the order of their actions, so that any run ranks alike.

    Where losses are weighed, of equal values the larger saving comes first.
    """
    return tuple(sorted(scored, key=lambda s: (s.value, 0.0 if s.weighed is None else -s.d_latency_ms, s.action)))
