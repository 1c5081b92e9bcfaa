"""Writing a run's side files: a line for each piece of work as it is done, whole or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from nas.runs.records.lines import Line
from search_spaces.files.json_lines import append_lines

LOSSES_PER_LINE = 200


def write_line(folder: Path, line: Line, /) -> None:
    """Add a line to its file in a run directory; a torn last one is dropped first.

    It outlives this process, but is not waited for: a power cut may take it, which costs a figure and no result.

    Raises:
        StorageError: The disk refuses.
    """
    append_lines(folder / line.file, [asdict(line)], synced=False)


class LossLines:
    """Losses of one training, step by step, in lines of `LOSSES_PER_LINE`.

    Args:
        write: Gets (index of the first step, losses) of a line.
        done: Losses of the steps that an earlier process did; it may have written some of the last line.
    """

    def __init__(self, write: Callable[[int, tuple[float, ...]], None], /, *, done: Sequence[float] = ()) -> None:
        self._write, self._first = write, len(done) // LOSSES_PER_LINE * LOSSES_PER_LINE
        self._losses = list(done[self._first :])

    def add(self, loss: float, /) -> None:
        """The loss of the next step."""
        self._losses.append(loss)
        if len(self._losses) == LOSSES_PER_LINE:
            self.end()

    def end(self) -> None:
        """Write what is left of the training."""
        if self._losses:
            self._write(self._first, tuple(self._losses))
            self._first += len(self._losses)
            self._losses.clear()
