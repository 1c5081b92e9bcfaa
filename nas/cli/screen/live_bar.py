"""LiveBar: one bar of 80 columns for the time of a `with` block; nothing where nobody looks at a terminal."""

from types import TracebackType
from typing import Final, Self

from rich.progress import BarColumn, Progress, TextColumn

from nas.cli.screen.console import Screen

BAR_WIDTH: Final = 8


class LiveBar:
    """What the bars of commands share.

    Args:
        screen: Where.
        before: What is said until there is something to show.
    """

    def __init__(self, screen: Screen, /, *, before: str) -> None:
        self._screen, self._before = screen, before
        self._is_live = screen.is_interactive
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=BAR_WIDTH),
            TextColumn("{task.fields[after]}", markup=False),
        )
        self._bar = Progress(*columns, console=screen, disable=not self._is_live, transient=True)
        self._task = self._bar.add_task(before, total=None, after="")

    def __enter__(self) -> Self:
        if not self._is_live:
            self._screen.sentence(self._before)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
