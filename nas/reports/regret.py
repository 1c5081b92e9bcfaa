"""Regret and front against what was spent, of several algorithms: medians over seeds, and where half of them lie."""

from functools import partial
from operator import mul
from typing import TYPE_CHECKING, Any

import pandas as pd

from nas.reports.style import SERIES, SERIES_MARKERS, new_figure, note, plain, styled, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKED = 6  # points that carry a marker, on a line
FROM = 20  # evaluations from which on the axis shows every line: before, nothing may keep the target yet


@styled
def regret_figure(frame: pd.DataFrame, /, *, title: str, score: str) -> "Figure":
    """A line per algorithm: regret above, the share of the front's hypervolume below; UNet passes at the top.

    Args:
        frame: As `nas.tabular.comparing.courses` gives it.
        title: Above it.
        score: What the score is called.
    """
    figure = new_figure(height=5.6, title=title)
    above, below = (tidy(axes, grid="both") for axes in figure.subplots(2, 1, sharex=True, height_ratios=[3, 2]))
    highest = max(_lines(above, frame, "regret"))
    above.set(ylabel=f"regret ({score})", ylim=(0, 1.3 * max(highest, 1e-9)))
    lowest = min(_lines(below, frame, "volume", labelled=False))
    below.set(xscale="log", xlabel="architectures scored, the start included", ylabel="share of the front")
    below.set_ylim(max(0.0, lowest - 0.05), 1.005)
    below.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    each = float((frame["num_passes"] / frame["num_evaluations"]).median())
    spent = above.secondary_xaxis("top", functions=(partial(mul, each), partial(mul, 1 / each)))
    spent.set_xlabel("UNet passes")
    spent.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.legend(loc="outside right upper")
    note(
        figure,
        "Regret: best score within the target less that of the best one found. Median and quartiles over seeds.\n"
        "Front: hypervolume of all that was scored, in latency and score, of that of all there is.",
    )
    return figure


def _lines(axes: "Axes", frame: pd.DataFrame, column: str, *, labelled: bool = True) -> list[float]:
    """Draw an algorithm's course each; their medians from where on the axis shall show every line."""
    shown = list[float]()
    for index, (name, part) in enumerate(frame.groupby("algorithm", sort=False)):
        table = part.pivot_table(index="num_evaluations", columns="seed", values=column).ffill()
        colour, marker = SERIES[index % len(SERIES)], SERIES_MARKERS[index % len(SERIES_MARKERS)]
        middle: Any = table.median(axis=1)
        axes.plot(
            table.index, middle, "-" if index < len(SERIES) else "--", color=colour, marker=marker, markersize=3.5,
            markevery=max(len(table) // MARKED, 1), label=plain(name, most=26) if labelled else None,
            drawstyle="steps-post",
        )  # fmt: skip
        shown += middle[middle.index >= min(FROM, middle.index.max())].tolist()
        low, high = table.quantile(0.25, axis=1), table.quantile(0.75, axis=1)
        axes.fill_between(table.index, low, high, color=colour, alpha=0.12, linewidth=0, step="post")
    return shown
