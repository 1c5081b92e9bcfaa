"""How training went: the loss over all rounds, with the moments at which the architecture changed."""

from typing import TYPE_CHECKING, Final

import numpy as np

from nas.reports.facts import executed, origin_name
from nas.reports.style import BLUE, FAINT, GREEN, INK, FigureError, new_figure, note, styled, tidy
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTHED: Final = 100  # steps, from which a mean says more than every single one
WINDOW: Final = 0.05  # of a round's steps: what the line averages over
MAX_POINTS: Final = 4000  # more than a page has pixels


@styled
def training(run: Run, /) -> "Figure":
    """Did training keep up? The loss of every step, with the evolutions marked and recovery shaded.

    Raises:
        FigureError: No loss was kept.
    """
    losses = run.training()
    if losses.empty:
        raise FigureError(f"{run.path} keeps no training loss yet; it is written while a round trains")
    figure = new_figure(height=3.4, title="Training loss over all rounds, with the moments of evolution")
    axes, decided, origin = tidy(figure.subplots(), grid="y"), executed(run), origin_name(run)
    every = max(1, len(losses) // MAX_POINTS)
    dots = losses.iloc[::every]
    axes.scatter(dots["global_step"], dots["loss"], s=4, color=BLUE, alpha=0.3, linewidths=0)
    for _, part in losses.groupby(["round", "job"], dropna=False, sort=True):
        number = int(part["round"].iloc[0])
        steps, values = part["global_step"].to_numpy(), part["loss"].to_numpy(dtype=float)
        window = round(WINDOW * len(values)) if len(values) >= SMOOTHED else 1
        if len(values) >= 2 * window:
            smooth = np.convolve(values, np.full(window, 1 / window), mode="valid")
            middle = steps[(window - 1) // 2 :][: len(smooth)]
            thin = slice(None, None, max(1, len(smooth) // MAX_POINTS))
            axes.plot(middle[thin], smooth[thin], color=BLUE, linewidth=1.3)
        if part["recovering"].any():
            axes.axvspan(steps[0], steps[-1], color=GREEN, alpha=0.12, linewidth=0)
        num = len(decided.get(number - 1, []))
        axes.axvline(steps[0], color=INK, linewidth=0.7, linestyle=(0, (4, 2)), alpha=FAINT)
        axes.annotate(
            f"round {number}\n{num} action{'s' if num != 1 else ''}" if number else f"round 0\nthe {origin}",
            (steps[0], 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            va="top",
            fontsize=7,
        )
    high = float(losses["loss"].quantile(0.995))
    axes.set(xlabel="Training step, over all rounds", ylabel="Loss (mean squared error of the noise)")
    if np.isfinite(high) and high > 0:
        axes.set_ylim(0, 1.35 * high)
    smoothed = losses.groupby(["round", "job"], dropna=False).size().max() >= SMOOTHED
    line = f"Dots: steps. Line: mean over {WINDOW:.0%} of a round of many steps." if smoothed else "Line: every step."
    recovery = "Green: recovery, without skipped blocks." if losses["recovering"].any() else ""
    thinned = f" Every {every}th step is a dot." if every > 1 else ""
    note(figure, f"{line} Dashed: a round begins, with the actions that led to it.\n{recovery}{thinned}".strip())
    return figure
