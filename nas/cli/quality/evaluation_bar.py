"""The live screen of an evaluation: one bar over all UNet passes, with the time to the end."""

import time
from collections.abc import Callable

from nas.cli.screen.console import Screen
from nas.cli.screen.formats import duration
from nas.cli.screen.live_bar import LiveBar
from nas.curves.standing import Standing

_LINES = 10  # where there is no terminal


class EvaluationBar(LiveBar):
    """Shows where an evaluation stands, for the time of a `with` block.

    Args:
        screen: Where.
        clock: In seconds.
    """

    def __init__(self, screen: Screen, /, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(screen, before="loading the models")
        self._clock, self._start_s, self._said = clock, clock(), ""

    def show(self, standing: Standing, /) -> None:
        """Show where it stands."""
        if standing.phase == "drawing" and standing.done == standing.stored:
            self._start_s = self._clock()
        after = self._after(standing)
        text = f"{standing.phase} {standing.done:,}" + ("" if standing.total is None else f"/{standing.total:,}")
        self._bar.update(self._task, completed=standing.done, total=standing.total, description=text, after=after)
        tenth = _LINES * standing.done // standing.total if standing.total else 0
        if not self._is_live and self._said != (said := f"{standing.phase} {tenth}"):
            self._said = said
            self._screen.sentence(f"{text}{': ' if after else ''}{after}")

    def _after(self, standing: Standing) -> str:
        if standing.phase != "drawing" or standing.total is None:
            return ""
        drawn, left = standing.done - standing.stored, standing.total - standing.done
        pace = (self._clock() - self._start_s) / drawn if drawn else 0.0
        parts = [f"{standing.stored:,} stored before"] * bool(standing.stored)
        parts += [f"{duration(left * pace)} left"] * bool(pace and left)
        return ", ".join([*parts, *([standing.what] if standing.what else [])])
