"""A layout of the UNet on matplotlib's axes; how a block looks is a function of its cell."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nas.reports.layout import HEADER, PADDING, Cell, Layout, LineKind, Rectangle, State
from nas.reports.style import GREEN, INK, KIND_COLOURS, RED, WIDTH, new_figure
from search_spaces.actions import Sign, parse_action
from search_spaces.blocks import BlockKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS: Final = 0.9  # of print per pixel of the layout, in a large drawing
Look = Callable[[Cell], Mapping[str, Any]]


def of_state(cell: Cell) -> Mapping[str, Any]:
    """A block as it is: there, gone, thinner, or with copies."""
    if cell.state is State.REMOVED:
        return {"facecolor": "none", "hatch": "////", "faint": True}
    dark = cell.kind is BlockKind.RESNET
    faint = {"alpha": 0.55} if cell.state is State.THINNED else {}
    return {"facecolor": KIND_COLOURS[cell.kind], "colour": "white" if dark else "black", **faint}


def of_round(actions: list[str]) -> Look:
    """A block in a round: what happens to it after."""
    fates = {step.block: step.sign for action in actions for step in parse_action(action).blocks}

    def look(cell: Cell) -> Mapping[str, Any]:
        fate = fates.get(cell.block)
        if fate is not None:
            removed = fate is Sign.REMOVE
            return {"facecolor": RED if removed else GREEN, "text": "−" if removed else "+", "colour": "white"}
        if cell.state is State.REMOVED:
            return {"facecolor": "none", "faint": True, "text": ""}
        text = f"×{cell.count}" if cell.state is State.COPIED else ""
        return {"facecolor": KIND_COLOURS[cell.kind], "alpha": 0.55, "text": text}

    return look


def large(layout: Layout, *, title: str) -> "tuple[Figure, Axes]":
    """An empty figure for one large drawing, and its axes."""
    height = layout.height * POINTS / 72 + 0.9
    figure = new_figure(height=height, width=WIDTH, title=title)
    return figure, figure.subplots()


def put(axes: "Axes", layout: Layout, *, look: Look, small: bool = False) -> None:
    """Put a layout into axes: frames, lines, cells, and their words."""
    from matplotlib.patches import FancyArrowPatch

    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="equal")
    axes.axis("off")
    for line in layout.lines:
        flows = line.kind is LineKind.FLOW
        shape: dict[str, Any] = {
            "arrowstyle": "-|>" if flows else "-",
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 5 if small else 8,
        }
        ink: dict[str, Any] = {"color": INK, "alpha": 0.5, "linewidth": 0.7, "linestyle": "-" if flows else ":"}
        axes.add_artist(FancyArrowPatch(line.start, line.end, **shape, **ink))
    for box in layout.stages:
        _rectangle(axes, box.rectangle, facecolor=INK, alpha=0.06, linewidth=0)
        if not small:
            at = box.rectangle
            axes.text(
                at.x + PADDING, at.y + HEADER / 2, box.title, va="center", fontsize=7, weight="bold", in_layout=False
            )
    for cell in layout.cells:
        seen = look(cell)
        fill = {"facecolor": seen["facecolor"], "alpha": seen.get("alpha"), "linewidth": 0.4 if small else 0.6}
        faint = bool(seen.get("faint"))
        edge = {"edgecolor": INK, "alpha": 0.45} if faint else {"edgecolor": INK}
        for at in (*cell.shadows, cell.rectangle):
            _rectangle(axes, at, **{**fill, **edge, "hatch": seen.get("hatch")})
        words: dict[str, Any] = {
            "fontsize": 8 if small else 6.5,
            "color": seen.get("colour", INK),
            "alpha": 0.8 if faint else 1.0,
        }
        if text := seen.get("text", cell.label):
            axes.text(*cell.rectangle.centre, text, ha="center", va="center", in_layout=False, **words)
    for text, (x, y) in () if small else layout.ends:
        axes.text(x, y, text, ha="center", va="bottom", fontsize=7, alpha=0.75)


def _rectangle(axes: "Axes", at: Rectangle, **look: Any) -> None:
    from matplotlib.patches import Rectangle as Patch

    axes.add_artist(Patch((at.x, at.y), at.width, at.height, **look))  # limits are set: none need be found
