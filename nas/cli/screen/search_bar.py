"""The live screen of a search: one bar for the whole of it in 80 columns, and a line that stays for every round.

Where nobody looks at a terminal there is a line per phase instead of the bar.
"""

import time
from collections.abc import Callable
from typing import Final

from nas.cli.screen.console import Screen, in_one_line
from nas.cli.screen.formats import duration
from nas.cli.screen.live_bar import LiveBar
from nas.search.outlook import Outlook
from nas.search.progress import Progress as SearchProgress
from nas.search.progress import RoundDone

PHASES: Final = {"robust training": "training"}  # shorter, for the bar
UNITS: Final = 1000  # of a whole bar


class SearchBar(LiveBar):
    """Shows where a search stands, for the time of a `with` block.

    Args:
        screen: Where.
        outlook: What the search is expected to be.
        score: What its score is called.
        clock: In seconds; for the time to the end.
    """

    def __init__(
        self, screen: Screen, outlook: Outlook, /, *, score: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(screen, before="loading the models")
        self.outlook = outlook
        self._score, self._clock, self._start_s = score, clock, clock()
        self._phase: tuple[int, str] | None = None

    def start(self, num_ready: int, num_workers: int) -> None:
        """Show that workers are waited for."""
        text = starting(num_ready, num_workers)
        self._show((-1, "start"), text, text, share=num_ready / num_workers, after="")

    def expect(self, outlook: Outlook, /) -> None:
        """Take the pace that was measured; the time runs from here."""
        self.outlook, self._start_s = outlook, self._clock()

    def show(self, progress: SearchProgress, /) -> None:
        """Show where the search stands."""
        score = "" if progress.clip is None else f", {self._score} {progress.clip:.4f}"
        line = (
            f"{self._round(progress)}: {progress.phase} ({progress.latency_ms:.2f} ms, "
            f"target {progress.target_latency_ms:.2f} ms{score})"
        )
        phase = PHASES.get(progress.phase, progress.phase)
        share = self.outlook.share(progress) if self.outlook.foresees(progress) else progress.done / progress.total
        self._show(
            (progress.round, progress.phase),
            line,
            f"{self._round(progress)}: {phase}",
            share=share,
            after=f"{self._pictures(progress)}{self._time_left(progress)}",
        )

    def end_round(self, done: RoundDone, /) -> None:
        """Leave a line that says what came of a round."""
        self._screen.sentence(in_one_line(done.sentence(score=self._score)))

    def _round(self, progress: SearchProgress) -> str:
        last = f" of at most {self.outlook.last_round}" if self.outlook.foresees(progress) else ""
        return f"round {progress.round}{last}"

    def _pictures(self, progress: SearchProgress) -> str:
        most = f"/{_count(self.outlook.most.num_pictures)}" if self.outlook.foresees(progress) else ""
        return f"{_count(progress.num_pictures)}{most} pictures"

    def _time_left(self, progress: SearchProgress) -> str:
        left = self.outlook.left_s(progress, elapsed_s=self._clock() - self._start_s)
        if left is None or not self.outlook.foresees(progress):
            return ""
        least, most = (duration(seconds) for seconds in left)
        return f", {most} left" if least == most else f", <{most} left"

    def _show(self, phase: tuple[int, str], line: str, text: str, *, share: float, after: str) -> None:
        if phase != self._phase:
            self._phase = phase
            if not self._is_live:
                self._screen.sentence(line)
        self._bar.update(
            self._task,
            completed=round(UNITS * share),
            total=UNITS,
            description=in_one_line(text),
            after=in_one_line(after),
        )


def starting(num_ready: int, num_workers: int, /) -> str:
    """How many workers have loaded."""
    return f"workers are loading their models: {num_ready} of {num_workers} ready"


def _count(number: int) -> str:
    return f"{number:,}" if number < 1_000_000 else f"{number / 1e6:.2f} M"
