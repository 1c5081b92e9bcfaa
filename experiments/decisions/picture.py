"""The picture of this study: true loss against UNet passes per removal, a panel per target."""

from typing import TYPE_CHECKING

import pandas as pd

from nas.reports.style import BLUE, GREY, INK, RED, new_figure, note, styled, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
_WIDE = 512  # times the fewest passes: then tens stand on the axis
_COLOURS = {"paper": RED, "upper_bound": GREY, "posterior": BLUE}
_OTHERS = {
    "race, posterior, by_regret": ("s", ":"),
    "elimination, paper": ("x", ":"),
    "output_change alone": ("v", "--"),
    "clip_change alone": ("D", "--"),
    "clip_glimpse alone": ("*", "-"),
    "race, posterior, by_regret, clip_change": ("D", "-"),
    "posterior, 8 passes a picture": ("o", "-."),
    "race, posterior, by_regret, 8 passes a picture": ("s", "-."),
}  # mark and line


@styled
def picture(frame: pd.DataFrame) -> "Figure":
    """How few pictures does a right decision need?"""
    ratios = sorted(frame["ratio"].unique(), reverse=True)
    columns = len(ratios) if len(ratios) <= _COLUMNS else (len(ratios) + 1) // 2
    rows = -(-len(ratios) // columns)
    figure = new_figure(height=0.6 + 2.6 * rows, title="What a decision costs on captions that it did not see")
    panels = figure.subplots(rows, columns, sharey=False, squeeze=False).ravel()
    for axes in panels[len(ratios) :]:
        axes.set_axis_off()
    for axes, ratio in zip(panels, ratios, strict=False):
        own = frame[frame["ratio"] == ratio]
        for method, part in own.groupby("method", sort=False):
            means = part.groupby("setting", sort=False)[["passes", "true_loss"]].agg(["mean", "std"])
            means = means.sort_values(("passes", "mean"))
            x, y = means["passes", "mean"], means["true_loss", "mean"]
            if method in _COLOURS:
                axes.plot(x, y, color=_COLOURS[method], marker="o", markersize=3, label=method)
                error = means["true_loss", "std"]
                axes.fill_between(x, y - error, y + error, color=_COLOURS[method], alpha=0.12, linewidth=0)
            elif method in _OTHERS:
                mark, style = _OTHERS[method]
                size, width = (7, 1.6) if mark == "*" else (3.5, 0.8)  # what the page recommends stands out
                axes.plot(x, y, color=INK, marker=mark, markersize=size, linewidth=width, linestyle=style, label=method)
        axes.set_xscale("log", base=2)
        least, most = own["passes"].min(), own["passes"].max()
        step = 4 if most < _WIDE * least else 10
        ticks = [step**power for power in range(1, 10) if least <= step**power <= most]
        axes.set_xticks(ticks, [f"{tick // 1000}k" if tick >= 1000 else str(tick) for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(0, 1.1 * own.groupby(["method", "setting"])["true_loss"].mean().max())
        axes.set_title(f"{ratio:.0%} of the latency", fontsize=8)
        axes.set_xlabel("UNet passes a removal")
        tidy(axes, grid="y")
    for axes in panels[::columns]:
        axes.set_ylabel("CLIP score lost")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", fontsize=6, frameon=False)
    note(figure, f"Means of {frame['seed'].nunique()} shuffles; shaded: one standard deviation between shuffles.")
    return figure
