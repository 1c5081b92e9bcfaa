"""Where the time goes: latency per stage or per block, coloured by kind, in the manner of SnapFusion's Figure 2."""

from itertools import groupby
from math import fsum
from typing import TYPE_CHECKING, Final

from latency.figures.canvas import new_figure
from latency.pricing.prediction import LatencyPrediction
from latency.pricing.scenario import Device, Runtime
from search_spaces import BlockKind, UNetSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN: Final = {BlockKind.CROSS_ATTENTION: "Cross-attention", BlockKind.RESNET: "ResNet"}
OTHER: Final = "Samplers, stem, tail, rest"
COLOURS: Final = {"Cross-attention": "#de8f05", "ResNet": "#0072b2", OTHER: "#b8b8b8"}  # as in all figures of a run
OUTSIDE: Final = "Other"


def milliseconds_by_paper_stage(prediction: LatencyPrediction, /, *, space: UNetSpace) -> dict[str, dict[str, float]]:
    """Milliseconds per stage, in the paper's names and the order of the forward pass, then per label of the figure."""
    names = dict.fromkeys(space.paper_stage(stage.place) for stage in space.stages)
    table = {name: dict.fromkeys(COLOURS, 0.0) for name in (*names, OUTSIDE)}
    for block in prediction.breakdown:
        stage = space.paper_stage(block.stage) if block.stage else OUTSIDE
        table[stage][SHOWN.get(block.kind, OTHER)] += block.ms
    return table


def stage_figure(prediction: LatencyPrediction, /, *, space: UNetSpace, device: Device, runtime: Runtime) -> "Figure":
    """Stacked bars: one per stage, coloured by kind of block.

    Args:
        prediction: Of an architecture of `space`.
        space: Knows the stages' names.
        device: For the title.
        runtime: For the title.
    """
    table = milliseconds_by_paper_stage(prediction, space=space)
    figure = new_figure(width=8, height=4)
    axes = figure.subplots()
    bottoms = [0.0] * len(table)
    for label, colour in COLOURS.items():
        heights = [kinds[label] for kinds in table.values()]
        axes.bar(list(table), heights, bottom=bottoms, label=label, color=colour, width=0.7)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.legend(frameon=False)
    _finish(axes, prediction, device, runtime)
    return figure


def block_figure(prediction: LatencyPrediction, /, *, space: UNetSpace, device: Device, runtime: Runtime) -> "Figure":
    """A bar per block in the order of the forward pass, coloured by kind; stages are shaded in turn, with their totals.

    A bar is as high as the median of the block's runs; its line reaches from the tenth percentile to the ninetieth.

    Args:
        prediction: Of an architecture of `space`.
        space: Knows the stages' names.
        device: For the title.
        runtime: For the title.
    """
    blocks = prediction.breakdown
    figure = new_figure(width=max(8.0, 0.17 * len(blocks)), height=4.2)
    from matplotlib.patches import Patch

    axes = figure.subplots()
    labels = [SHOWN.get(block.kind, OTHER) for block in blocks]
    spread = (
        [0.0 if block.p10_ms is None else block.ms - block.p10_ms for block in blocks],
        # What the whole takes beyond its blocks may be nothing, and its spread is that of the whole: no bar, no line.
        [0.0 if block.p90_ms is None or not block.ms else block.p90_ms - block.ms for block in blocks],
    )
    axes.bar(
        range(len(blocks)),
        [block.ms for block in blocks],
        yerr=spread,
        color=[COLOURS[label] for label in labels],
        error_kw={"ecolor": "#404040", "elinewidth": 0.8},
        width=0.8,
    )
    stages = [space.paper_stage(block.stage) if block.stage else "" for block in blocks]
    start = 0
    for number, (name, group) in enumerate(groupby(stages)):
        end = start + len(list(group))
        if number % 2 == 0:
            axes.axvspan(start - 0.5, end - 0.5, color="#f2f2f2", zorder=0, linewidth=0)
        if name:
            total_ms = fsum(block.ms for block in blocks[start:end])
            text = f"{name}\n{total_ms / prediction.total_ms:.0%}"
            axes.text((start + end - 1) / 2, 1.0, text, ha="center", va="bottom", transform=axes.get_xaxis_transform())
        start = end
    axes.set(xlim=(-0.5, len(blocks) - 0.5), xticks=[], xlabel="Blocks in the order of the forward pass")
    patches = [Patch(color=colour, label=label) for label, colour in COLOURS.items()]
    figure.legend(handles=patches, frameon=False, loc="outside lower center", ncols=len(patches))
    _finish(axes, prediction, device, runtime, pad=32)
    return figure


def _finish(
    axes: "Axes", prediction: LatencyPrediction, device: Device, runtime: Runtime, *, pad: float | None = None
) -> None:
    axes.set_ylabel("Latency (ms)")
    title = f"{prediction.total_ms:.1f} ms on {device.name}, {runtime.name} {runtime.version}"
    axes.set_title(title, pad=pad, parse_math=False)  # a name may hold what matplotlib takes for formulas
    axes.spines[["top", "right"]].set_visible(False)
