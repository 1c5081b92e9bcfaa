"""Do ranks hold when weights recover? The score of every finalist against the length of its recovery training."""

from typing import TYPE_CHECKING

from nas.reports.facts import score_name
from nas.reports.recovery import recovery_curves
from nas.reports.style import SERIES, SERIES_MARKERS, FigureError, new_figure, note, plain, styled, tidy
from nas.runs.run import Run
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def recovery(run: Run, /) -> "Figure":
    """Do ranks hold when weights recover? The score of every finalist after each length of its recovery training.

    Raises:
        FigureError: The run ranks no finalists again, or has scored none yet.
    """
    try:
        curves = recovery_curves(run)
    except UserError as error:
        raise FigureError(str(error)) from None
    figure = new_figure(height=3.6, title=f"{score_name(run)} of the finalists as their weights recover")
    axes = tidy(figure.subplots(), grid="y")
    for finalist, part in curves.frame.groupby("finalist"):
        index = int(part["finalist"].iloc[0]) - 1
        colour, marker = SERIES[index % len(SERIES)], SERIES_MARKERS[index % len(SERIES_MARKERS)]
        below, above = part["mean"] - part["low"], part["high"] - part["mean"]
        finite = [[value if value < float("inf") else 0.0 for value in values] for values in (below, above)]
        axes.errorbar(
            part["steps"], part["mean"], yerr=finite, color=colour, marker=marker, markersize=4, elinewidth=0.6,
            label=plain(f"{finalist}: {part['predicted_latency_ms'].iloc[0]:.2f} ms"),
        )  # fmt: skip
    axes.set(xlabel="Steps of recovery training", ylabel=f"{score_name(run)}, mean over prompts")
    axes.legend(loc="best", ncols=2)
    last = curves.changes[-1] if curves.changes else None
    told = (
        f" Between {last.before:g} and {last.after:g} of the training {last.flips} pairs changed their order "
        f"(Kendall's tau {last.tau:.2f})."
        if last is not None
        else ""
    )
    note(figure, f"Numbers: the order before. Bars: 95 % intervals.{told}")
    return figure
