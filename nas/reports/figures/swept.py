"""Which setting matters? What each of several runs reached, against each setting in which they differ."""

from collections.abc import Sequence
from math import ceil, isfinite
from typing import TYPE_CHECKING, Any, Final

from nas.reports.comparison import differing_settings
from nas.reports.facts import score_name
from nas.reports.style import SERIES, FigureError, new_figure, note, plain, styled, tidy
from nas.reports.summary import summarise
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SETTINGS: Final = 9
_ACROSS: Final = 3
_FEW: Final = 8  # values of a setting that get a place each, when they are no numbers
_LABEL, _LINE = 16, 28  # letters of a value, and of all of them in one line below a panel
_DECADE: Final = 10.0  # positive numbers that span more stand on a logarithmic axis


@styled
def swept(*runs: Run) -> "Figure":
    """Which setting matters? What each of several runs reached, against each setting in which they differ.

    Raises:
        FigureError: Fewer than three runs that found something, runs by different scores, or with equal settings.
    """
    rows = [(run, summarise(run, now=0.0)) for run in runs]
    found = [(run, row) for run, row in rows if isfinite(row.mean)]
    if len(found) < 3:
        raise FigureError(f"a sweep needs three runs or more that found something, but got {len(found)}")
    if len(scores := {run.score for run, _ in found}) > 1:
        raise FigureError(f"a sweep needs runs by one score, but got {', '.join(sorted(scores))}; draw them apart")
    differing = differing_settings([run for run, _ in found])
    settings = {name: values for name, values in differing.items() if not name.startswith("content of ")}
    shown = {name: values for name, values in settings.items() if _is_shown(values)}
    if not shown:
        raise FigureError("the settings of these runs are the same, or texts that are all different; `nas compare`")
    names = list(shown)[:MAX_SETTINGS]
    down = ceil(len(names) / _ACROSS)
    figure = new_figure(height=0.9 + 2.1 * down, title="What each run reached, by the settings in which they differ")
    grid = figure.subplots(down, min(_ACROSS, len(names)), sharey=True, squeeze=False)
    ys, met = [row.mean for _, row in found], [bool(row.target_met) for _, row in found]
    for index, axes in enumerate(grid.flat):
        if index >= len(names):
            axes.set_visible(False)
            continue
        _panel(tidy(axes, grid="y"), names[index], shown[names[index]], ys=ys, met=met)
        if index % _ACROSS == 0:
            axes.set_ylabel(score_name(found[0][0]))
    missed = " Hollow: it misses its target." if not all(met) else ""
    left_out = f" {len(settings) - len(names)} more settings differ." if len(settings) > len(names) else ""
    note(figure, f"Each point is a run, at the score of what it found.{missed}{left_out}")
    return figure


def _is_shown(values: Sequence[Any]) -> bool:
    return all(map(_is_number, values)) or len(set(map(str, values))) <= _FEW


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _panel(axes: "Axes", name: str, values: Sequence[Any], *, ys: Sequence[Any], met: Sequence[bool]) -> None:
    numbers = all(map(_is_number, values))
    ticks = sorted(set(map(str, values)))
    xs = list(values) if numbers else [ticks.index(str(value)) for value in values]
    faces = [SERIES[0] if each else "none" for each in met]
    axes.scatter(xs, ys, s=22, facecolors=faces, edgecolors=SERIES[0], linewidths=1.2, zorder=3)
    if not numbers:
        labels = [plain(tick if len(tick) <= _LABEL else f"…{tick[1 - _LABEL :]}") for tick in ticks]  # paths end apart
        is_long = len(labels) * max(map(len, labels)) > _LINE
        turned: dict[str, Any] = {"rotation": 25, "ha": "right", "rotation_mode": "anchor"} if is_long else {}
        axes.set_xticks(range(len(ticks)), labels, **turned)
        axes.set_xlim(-0.5, len(ticks) - 0.5)
    elif min(xs) > 0 and max(xs) / min(xs) > _DECADE:
        axes.set_xscale("log")
    elif len(set(xs)) <= _FEW:
        axes.set_xticks(sorted(set(xs)))
    axes.set_xlabel(plain(name, most=34))
