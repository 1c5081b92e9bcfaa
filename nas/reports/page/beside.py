"""A run beside others in its page: their table, what a table cannot say, and their fronts in one figure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from nas.reports.comparison import compare
from nas.reports.page.drawings import figures_of
from nas.reports.page.values import Figure
from nas.reports.side_by_side import lines, sentences
from nas.runs.run import Run, Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Several runs side by side.

    Attributes:
        names: Of the runs, the page's own first.
        lines: What a line is about, and what it says of each run.
        sentences: What a table cannot say.
        figures: Drawn by matplotlib.
    """

    names: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]


def beside(run: Run, others: Sequence[Run], /) -> Beside | None:
    """Put a run beside others; None where there are none.

    Args:
        run: The page's own, to which differences are.
        others: What it is compared with.
    """
    if not others:
        return None
    runs = Runs([run, *others])
    found = compare(runs, now=time.time())
    figures, notices = figures_of(run, *others, names=("fronts", "swept"))
    return Beside(
        names=tuple(runs.names),
        lines=tuple(lines(found)),
        sentences=(*sentences(found), *notices),
        figures=figures,
    )
