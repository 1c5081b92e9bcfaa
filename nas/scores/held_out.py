"""What a trace says of the truth: scores on captions that no decision saw, of what was found and of where it began."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nas.scores.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutScores:
    """What a result scores on captions that no decision saw, beside the start of its search.

    Attributes:
        found: Its score.
        base: The start's, on the same prompts; None where the search never scored it.
        loss: Lost per prompt from the start to it, paired, positive = worse.
    """

    found: Interval
    base: Interval | None = None
    loss: Interval | None = None

    def words(self) -> str:
        """Such as "0.9306 [0.9132, 0.9480], from 0.9401 [...]; lost per prompt +0.0095 [...] (100 prompts)"."""
        text = _interval(self.found)
        if self.base is not None and self.loss is not None:
            lost = f"{self.loss.mean:+.4f} [{self.loss.low:+.4f}, {self.loss.high:+.4f}]"
            text = f"{_interval(self.base)} -> {text}, lost per prompt, paired: {lost}"
        return f"{text} ({self.found.num_prompts} prompts)"

    def plain(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def held_out_scores(events: Sequence[Mapping[str, Any]], /) -> HeldOutScores | None:
    """The first result's held-out scores, as a finished trace has them; None without."""
    if not events or events[-1]["event"] != "search_finished":
        return None
    for event in reversed(events[:-1]):
        if event["event"] == "measurement" and event.get("prompts") == "held_out":
            found = next((each for each in event["subjects"] if each["arch_id"] == events[-1]["arch_id"]), None)
            if found is None:
                return None
            base, loss = event.get("reference"), found["loss"]
            return HeldOutScores(
                found=Interval(**found["score"]),
                base=None if base is None else Interval(**base),
                loss=None if loss is None else Interval(**loss),
            )
        if event["event"] in ("search_started", "search_extended"):
            break
    return None


def _interval(values: Interval) -> str:
    return f"{values.mean:.4f} [{values.low:.4f}, {values.high:.4f}]"
