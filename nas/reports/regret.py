"""Regret against evaluations, of several algorithms: the median over seeds, and where half of the seeds lie."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from nas.reports.style import SERIES, SERIES_MARKERS, new_figure, note, styled, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = 6  # points that carry a marker, on a line
FROM = 20  # evaluations from which on the axis shows every line: before, nothing may keep the target yet


@styled
def regret_figure(frame: pd.DataFrame, /, *, title: str, score: str) -> "Figure":
    """A line per algorithm.

    Args:
        frame: As `nas.tabular.comparing.courses` gives it.
        title: Above it.
        score: What the score is called.
    """
    figure = new_figure(height=3.4, title=title)
    axes = tidy(figure.subplots(), grid="both")
    highest = 0.0
    for index, (name, part) in enumerate(frame.groupby("algorithm", sort=False)):
        table = part.pivot_table(index="num_evaluations", columns="seed", values="regret").ffill()
        colour, marker = SERIES[index % len(SERIES)], SERIES_MARKERS[index % len(SERIES_MARKERS)]
        middle: Any = table.median(axis=1)
        style = "-" if index < len(SERIES) else "--"
        axes.plot(
            table.index, middle, style, color=colour, marker=marker, markersize=3.5,
            markevery=max(len(table) // MARKED, 1), label=str(name), drawstyle="steps-post",
        )  # fmt: skip
        highest = max(highest, float(middle[middle.index >= min(FROM, middle.index.max())].max()))
        low, high = table.quantile(0.25, axis=1), table.quantile(0.75, axis=1)
        axes.fill_between(table.index, low, high, color=colour, alpha=0.12, linewidth=0, step="post")
    axes.set(xscale="log", xlabel="architectures scored, the start included", ylabel=f"regret ({score})")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(0, 1.3 * max(highest, 1e-9))
    figure.legend(loc="outside right upper")
    note(
        figure, "Regret: best score within the target less that of the best one found. Median and quartiles over seeds."
    )
    return figure
