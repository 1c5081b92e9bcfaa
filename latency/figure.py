"""Where the time goes: latency per stage and kind of block, in the manner of SnapFusion's Figure 2."""

from typing import TYPE_CHECKING, Final

from latency.prediction import LatencyPrediction
from latency.scenario import Device, Runtime
from search_spaces import BlockKind, UNetSpace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN: Final = {BlockKind.CROSS_ATTENTION: "Cross-attention", BlockKind.RESNET: "ResNet"}
OTHER: Final = "Samplers, stem, tail, rest"
COLOURS: Final = {"Cross-attention": "#d1495b", "ResNet": "#30638e", OTHER: "#b8b8b8"}
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
    from matplotlib.figure import Figure

    table = milliseconds_by_paper_stage(prediction, space=space)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    bottoms = [0.0] * len(table)
    for label, colour in COLOURS.items():
        heights = [kinds[label] for kinds in table.values()]
        axes.bar(list(table), heights, bottom=bottoms, label=label, color=colour, width=0.7)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.set_ylabel("Latency (ms)")
    axes.set_title(f"{prediction.total_ms:.1f} ms on {device.name}, {runtime.name} {runtime.version}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure
