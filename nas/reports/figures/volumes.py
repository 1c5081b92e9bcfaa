"""Which search finds most for what it spends? Hypervolume over UNet passes, and over seconds, of several runs."""

from typing import TYPE_CHECKING

from nas.reports.facts import score_name
from nas.reports.figures.tradeoff import MAX_RUNS
from nas.reports.hypervolume import compare_fronts
from nas.reports.style import SERIES, SERIES_MARKERS, FigureError, new_figure, note, plain, styled, tidy
from nas.runs.run import Run, Runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def volumes(*runs: Run) -> "Figure":
    """Which search finds most for what it spends? Hypervolume over UNet passes and over seconds, of several runs.

    Raises:
        FigureError: No run, too many, runs by different scores, or one without a scored architecture.
    """
    if not 1 <= len(runs) <= MAX_RUNS:
        raise FigureError(f"runs are told apart by colour and shape for 1 to {MAX_RUNS} of them, but got {len(runs)}")
    found = compare_fronts(Runs(runs))
    if found is None:
        raise FigureError("hypervolumes need runs by one score that have scored something; draw them apart")
    figure = new_figure(height=3.4, title="What each search had found by the time it had spent so much")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, run in enumerate(found.runs):
        colour, marker = SERIES[number], SERIES_MARKERS[number]
        for axes, points in ((left, run.by_passes), (right, run.by_seconds)):
            xs, ys = zip(*points, strict=True)
            axes.plot(
                xs, ys, drawstyle="steps-post", color=colour, marker=marker, markersize=3,
                markevery=max(1, len(xs) // 8), label=plain(run.name, most=30),
            )  # fmt: skip
    for axes, label in ((left, "UNet passes"), (right, "Seconds of trainings and scorings")):
        tidy(axes, grid="y").set(xlabel=label)
        axes.set_xlim(left=0)
    left.set_ylabel(f"Hypervolume ({score_name(runs[0])})")
    left.legend(loc="best")
    share, score = found.reference
    note(
        figure,
        f"Area between the front and the point ({share:g} of the base's latency, score {score:.4f}), by selection "
        "scores.\nPasses are counted as if no store had held anything; scores from a store take no seconds.",
    )
    return figure
