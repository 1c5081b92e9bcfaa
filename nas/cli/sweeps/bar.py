"""The live screen of a sweep: a bar with the best so far and the time to the end, and a line that stays per trial."""

from nas.cli.screen.console import Screen, in_one_line
from nas.cli.screen.formats import duration
from nas.cli.screen.live_bar import LiveBar
from nas.sweeps.ended import TrialEnded


class SweepBar(LiveBar):
    """Shows where a sweep stands, for the time of a `with` block.

    Args:
        screen: Where.
        num: Of trials.
    """

    def __init__(self, screen: Screen, /, *, num: int) -> None:
        super().__init__(screen, before=f"0 of {num} trials, each in a process of its own")
        self._best: float | None = None

    def show(self, ended: TrialEnded, /) -> None:
        """Show that a trial ended."""
        reached = ended.objective
        if reached is not None and (self._best is None or reached > self._best):
            self._best = reached
        left = "" if not ended.left_s else f"{duration(ended.left_s)} left"
        self._screen.sentence(in_one_line("; ".join(filter(None, (_line(ended), "" if self._is_live else left)))))
        best = "" if self._best is None else f"best {self._best:.4f}"
        self._bar.update(
            self._task,
            completed=ended.number,
            total=ended.num,
            description=f"{ended.number} of {ended.num} trials",
            after=", ".join(filter(None, (best, left))),
        )


def _line(ended: TrialEnded) -> str:
    """What came of a trial."""
    head, took = f"trial {ended.number} of {ended.num}", duration(ended.seconds)
    if ended.objective is None:
        return f"{head} failed after {took}"
    changed = " ".join(f"{key}={value}" for key, value in ended.values.items())
    missed = "" if ended.target_met else f", misses its target: {ended.objective:.4f}"
    how = "was done before" if ended.is_read else f"took {took}"
    return f"{head}: score {ended.score:.4f} at {ended.latency_ms:.2f} ms{missed} ({changed}), {how}"
