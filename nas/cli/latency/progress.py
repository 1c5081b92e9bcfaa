"""Progress of measuring and exporting on stderr: a bar on a terminal, a line per tenth elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from nas.cli.screen.console import Screen, in_one_line

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from latency.blocks.tasks import PrepareReport
    from latency.timing.interleaving import RoundReport

REFRESHES_PER_SECOND: Final = 1  # more would take time from what is measured
TENTHS: Final = 10


class LatencyProgress:
    """What a bar is told.

    Attributes:
        num_rounds: Rounds of measuring that it was told of.
    """

    def __init__(self, bar: "Progress", task: "TaskID", *, say: Callable[[str], None] | None) -> None:
        self._bar, self._task, self._say, self.num_rounds = bar, task, say, 0
        self._said: tuple[str, int] | None = None

    def on_prepare(self, report: "PrepareReport") -> None:
        """A block or model is about to be exported or compiled."""
        self._tell("preparing", report.number - 1, report.total)
        self._bar.update(
            self._task,
            completed=report.number - 1,
            total=report.total,
            description=f"preparing {in_one_line(report.what)}",
        )

    def on_round(self, report: "RoundReport[Any]") -> None:
        """A round of measuring is over."""
        self.num_rounds += 1
        self._tell("measuring: rounds", report.num_rounds, report.max_rounds)
        self._bar.update(
            self._task,
            completed=report.num_rounds,
            total=report.max_rounds,
            description=f"rounds, least sure to {report.worst_cv:.1%}",
        )

    def _tell(self, what: str, done: int, total: int) -> None:
        """Say where it stands, once per tenth of the way."""
        tenth = (what, TENTHS * done // max(total, 1))
        if self._say is not None and tenth != self._said:
            self._said = tenth
            self._say(f"{what} {done} of {total}")


@contextmanager
def latency_progress(title: str) -> Iterator[LatencyProgress]:
    """A progress bar for the time of a `with` block."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Screen(stderr=True)
    columns = (
        TextColumn(title, markup=False),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        TextColumn("{task.description}", markup=False),
        console=console,
        disable=not console.is_terminal,
        refresh_per_second=REFRESHES_PER_SECOND,
    ) as bar:
        say = None if console.is_terminal else console.sentence
        yield LatencyProgress(bar, bar.add_task("loading", total=None), say=say)
