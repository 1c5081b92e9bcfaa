"""Curves in one figure: the score against each distance, a line per model, scheduler and number of steps.

Along a line guidance runs, so that the upper left corner is best: pictures that show their captions and look real.
"""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from latency.exporters.extras import load_extra
from nas.curves.points import Curves, Point
from nas.metrics.registry import METRICS
from nas.reports.style import (
    FAINT,
    INK,
    SERIES,
    SERIES_MARKERS,
    FigureError,
    new_figure,
    note,
    plain,
    styled,
    tidy,
)
from nas.scores.labels import score_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN: Final = ("kid", "cmmd", "mind", "fid")
SHORT: Final = {
    "DDIMScheduler": "DDIM",
    "DPMSolverMultistepScheduler": "DPM++",
    "EulerDiscreteScheduler": "Euler",
    "HeunDiscreteScheduler": "Heun",
    "PNDMScheduler": "PNDM",
    "UniPCMultistepScheduler": "UniPC",
}
_LINES: Final = {"DDIMScheduler": "-", "DPMSolverMultistepScheduler": "--", "UniPCMultistepScheduler": ":"}


@styled
def curves_figure(*several: Curves) -> "Figure":
    """Which way to draw, and which model, gives the best pictures? The score against every distance that there is.

    Raises:
        FigureError: No point, or evaluations by different scores or features.
    """
    points = [point for curves in several for point in curves.points]
    if not points:
        raise FigureError("a figure of curves needs points; evaluate a model first")
    if len({(curves.score, curves.features) for curves in several}) > 1:
        raise FigureError("only numbers by one score and the same features can be drawn together; draw them apart")
    first, score = several[0], several[0].score
    distances = [name for name in SHOWN if all(name in point.numbers for point in points)] or [""]
    title = (
        f"{score_axis(score)} against distance to real pictures"
        if distances != [""]
        else f"{score_axis(score)} by guidance"
    )
    rows = -(-len(distances) // 2)
    figure = new_figure(height=3.1 * rows + 1.3, title=title)
    panels = figure.subplots(rows, min(2, len(distances)), squeeze=False).ravel()
    keys = list(dict.fromkeys(point.curve for point in points))
    looks = _looks(keys)
    for axes, distance in zip(panels, distances, strict=False):
        tidy(axes, grid="y")
        for key in keys:
            own = [point for point in points if point.curve == key]
            _draw(axes, own, score=score, distance=distance, look=looks[key])
        axes.set(ylabel=f"{score_axis(score)}, mean", xlabel=METRICS[distance].label if distance else "Guidance scale")
        if distance and all(point.numbers[distance].value > 0 for point in points):
            _logarithmic(axes)  # few steps are ten times as far as many
            axes.set_xlabel(f"{METRICS[distance].label}, logarithmic")
    handles, labels = panels[0].get_legend_handles_labels()
    for axes in panels[len(distances) :]:
        axes.axis("off")
        axes.legend(handles, labels, loc="center", ncols=2, fontsize=7)
    if len(panels) == len(distances):
        figure.legend(handles, labels, loc="outside right upper", fontsize=7)
    best = "Up and to the left is better." if distances != [""] else "Bars: 95 % intervals."
    told = textwrap.fill(first.told(), 125)
    note(figure, f"{best} Along a line guidance grows; its smallest scale is hollow.\n{told}.")
    return figure


def _draw(axes: "Axes", points: Sequence[Point], *, score: str, distance: str, look: dict[str, Any]) -> None:
    own = sorted(points, key=lambda point: point.protocol.guidance_scale)
    y = [point.numbers[score].value for point in own]
    x = [point.numbers[distance].value if distance else point.protocol.guidance_scale for point in own]
    axes.plot(x, y, markersize=4, linewidth=1.1, **look)
    axes.plot(x[:1], y[:1], marker=look["marker"], markersize=4, color=look["color"], markerfacecolor="white")
    if not distance:
        for place, number in zip(x, (point.numbers[score] for point in own), strict=True):
            axes.plot([place, place], [number.low, number.high], color=INK, alpha=FAINT, linewidth=0.6)


def _logarithmic(axes: "Axes") -> None:
    """Ticks at 1, 2 and 5, as plain numbers: this style reads no formulas."""
    ticker = load_extra("matplotlib.ticker", extra="plots")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, place: f"{value:g}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())


def _looks(keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """A colour per model, or per number of steps where there is one model; a stroke per scheduler."""
    models = list(dict.fromkeys(model for model, _, _ in keys))
    steps = sorted({steps for _, _, steps in keys}, reverse=True)
    looks = {}
    for model, scheduler, num in keys:
        of_model = len(models) > 1
        which = models.index(model) if of_model else steps.index(num)
        shape = steps.index(num) if of_model else which
        label = f"{SHORT[scheduler]} {num}" if not of_model else f"{model}, {SHORT[scheduler]} {num}"
        looks[model, scheduler, num] = {
            "color": SERIES[which % len(SERIES)],
            "marker": SERIES_MARKERS[shape % len(SERIES_MARKERS)],
            "linestyle": _LINES.get(scheduler, "-."),
            "label": plain(label, most=40),
        }
    return looks
