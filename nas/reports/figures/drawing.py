"""The drawing of the UNet: what became of each block, how much each matters, and how it went, round by round."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from nas.reports.facts import (
    actions_of,
    architectures,
    base_of,
    executed,
    found_round,
    rounds_of,
    scaled,
    score_name,
    start_of,
)
from nas.reports.figures.importance import importance_rows
from nas.reports.layout import HEADER, PADDING, Cell, Layout, LineKind, Rectangle, State, lay_out
from nas.reports.style import (
    BLUE,
    GREEN,
    INK,
    KIND_COLOURS,
    RED,
    WIDTH,
    FigureError,
    new_figure,
    note,
    plain,
    styled,
)
from nas.runs.run import Run
from search_spaces.actions import Sign, parse_action

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS: Final = 0.9  # of print per pixel of the layout, in a large drawing
MAX_PANELS: Final = 24
WHAT: Final[Mapping[str, tuple[str, str]]] = {
    "value": ("{score} lost per ms saved", "how much a millisecond costs there"),
    "loss": ("{score} lost", "what its removal alone costs"),
    "saved": ("Saved (ms)", "what its removal alone saves"),
}
Look = Callable[[Cell], Mapping[str, Any]]


@styled
def unet(run: Run, /) -> "Figure":
    """What is left of the UNet? Its drawing: removed blocks are empty and hatched, copies stand behind their block.

    Raises:
        FigureError: No round is scored yet, or the search is not over UNets.
    """
    every = architectures(run)
    last = max(every)
    number = found_round(run) if found_round(run) in every else last
    base, architecture = base_of(run), every[last if number is None else number]
    layout = lay_out(base, architecture=architecture)
    which = "what was found" if run.is_finished else f"the UNet in round {last}, the last that was scored"
    figure, axes = _large(layout, title=f"{which[0].upper()}{which[1:]}, block by block")
    _draw(axes, layout, look=_of_state)
    gone = sum(cell.state is State.REMOVED for cell in layout.cells)
    copied = sum(cell.state is State.COPIED for cell in layout.cells)
    note(
        figure,
        f"Blue: ResNets. Orange: cross-attentions. Hatched: removed, {gone} of {len(layout.cells)} blocks. "
        f"Stacked: copied, {copied}.\nDotted: skips. A removed ResNet keeps its shortcut.",
    )
    return figure


@styled
def importance_map(run: Run, /, *, round: int | None = None, what: str = "value") -> "Figure":
    """Where does quality sit in the UNet? Its drawing as a heat map of score lost, ms saved, or their ratio.

    Args:
        run: A run.
        round: Which round; None = the first.
        what: "value", "loss" or "saved".

    Raises:
        FigureError: The round has no scored action, the search is not over UNets, or `what` is none of these.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import CenteredNorm, LinearSegmentedColormap

    if what not in WHAT:
        raise FigureError(f"`what` must be one of {', '.join(WHAT)}, but got {plain(what)!r}")
    number, scored = actions_of(run, round=round)
    base, rows = base_of(run), importance_rows(run, scored, number=number)
    layout = lay_out(base, architecture=architectures(run).get(number))
    known = {row["action"][1:]: row[what] for row in rows.to_dict("records") if row[what] == row[what]}
    factor, power = scaled(list(known.values()))
    largest = max((abs(factor * value) for value in known.values()), default=1.0) or 1.0
    norm, places = CenteredNorm(0, halfrange=largest), 1 if largest >= 10 else 2
    colours = LinearSegmentedColormap.from_list("loss", [BLUE, "#e4e4e4", RED])
    label, meaning = WHAT[what]
    figure, axes = _large(layout, title=f"Where quality sits in the UNet, round {number}: {meaning}")

    def look(cell: Cell) -> Mapping[str, Any]:
        value = known.get(cell.block)
        if value is None:
            return {**_of_state(cell), "facecolor": "none"}
        colour = colours(norm(factor * value))
        dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.52
        return {
            "facecolor": colour,
            "text": f"{factor * value:.{places}f}".replace("-", "−"),
            "colour": "white" if dark else "black",
        }

    _draw(axes, layout, look=look)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.5, aspect=25, pad=0.02)
    unit = label.format(score=score_name(run))
    bar.set_label(f"{unit} ({power.strip()})" if power else unit)
    bar.ax.tick_params(labelsize=8, colors=INK, length=2.5, width=0.6)
    bar.outline.set_visible(False)  # type: ignore[operator]  # matplotlib's stubs take it for a method
    note(figure, "In each stage, ResNets stand above and cross-attentions below. Empty: not there, or not scored.")
    return figure


@styled
def evolution(run: Run, /) -> "Figure":
    """What went when? The UNet once a round, with the blocks that then left or were copied.

    Raises:
        FigureError: No round is scored yet, or the search is not over UNets.
    """
    every, base, decided = architectures(run), base_of(run), executed(run)
    rounds = rounds_of(run).drop_duplicates("round").set_index("round")
    shown = sorted(every)
    left_out = 0
    if len(shown) > MAX_PANELS:
        left_out = len(shown) - MAX_PANELS
        shown = [*shown[: MAX_PANELS // 2], *shown[-MAX_PANELS // 2 :]]
    layout = lay_out(base)
    num_columns = min(len(shown), 3 if len(shown) <= 9 else 4)
    num_rows = -(-len(shown) // num_columns)
    width = WIDTH / max(num_columns, 2)
    height = num_rows * (width * layout.height / layout.width + 0.35) + 0.9
    figure = new_figure(height=height, title="Which blocks left, and which were copied, round by round")
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    target, found = start_of(run)["target_latency_ms"], found_round(run)
    for axes, number in zip(panels, shown, strict=False):
        _draw(axes, lay_out(base, architecture=every[number]), look=_of_round(decided.get(number, [])), small=True)
        ms = rounds.loc[number, "predicted_latency_ms"]
        name = f"Round {number}" + (", found" if number == found else "")
        axes.set_title(
            f"{name}\n{ms:.3g} ms, {score_name(run)} {rounds.loc[number, run.score]:.3f}", fontsize=8, weight="normal"
        )
    for axes in panels[len(shown) :]:
        axes.axis("off")
    skipped = f" {left_out} rounds in the middle are left out." if left_out else ""
    note(
        figure,
        f"Blue: ResNets; orange: cross-attentions; empty: gone before. Red, −: leaves after this round; green, +: is "
        f"copied.\nLatencies are predicted; the target is {target:.3g} ms.{skipped}",
    )
    return figure


def _of_state(cell: Cell) -> Mapping[str, Any]:
    """A block as it is: there, gone, thinner, or with copies."""
    if cell.state is State.REMOVED:
        return {"facecolor": "none", "hatch": "////", "faint": True}
    dark = cell.kind is next(iter(KIND_COLOURS))
    faint = {"alpha": 0.55} if cell.state is State.THINNED else {}
    return {"facecolor": KIND_COLOURS[cell.kind], "colour": "white" if dark else "black", **faint}


def _of_round(actions: list[str]) -> Look:
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
        return {"facecolor": KIND_COLOURS[cell.kind], "alpha": 0.45, "text": text}

    return look


def _large(layout: Layout, *, title: str) -> "tuple[Figure, Axes]":
    height = layout.height * POINTS / 72 + 0.9
    figure = new_figure(height=height, width=WIDTH, title=title)
    return figure, figure.subplots()


def _draw(axes: "Axes", layout: Layout, *, look: Look, small: bool = False) -> None:
    """Put a layout into axes: frames, lines, cells, and their words."""
    from matplotlib.patches import FancyArrowPatch

    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0), aspect="equal")
    axes.axis("off")
    for line in layout.lines:
        flows = line.kind is LineKind.FLOW
        shape = {"arrowstyle": "-|>" if flows else "-", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 5 if small else 8}
        look_of_line = {"color": INK, "alpha": 0.5, "linewidth": 0.7, "linestyle": "-" if flows else ":"}
        axes.add_patch(FancyArrowPatch(line.start, line.end, **shape, **look_of_line))
    for box in layout.stages:
        _rectangle(axes, box.rectangle, facecolor=INK, alpha=0.06, linewidth=0)
        if not small:
            at = box.rectangle
            axes.text(at.x + PADDING, at.y + HEADER / 2, box.title, va="center", fontsize=7, weight="bold")
    for cell in layout.cells:
        seen = look(cell)
        fill = {"facecolor": seen["facecolor"], "alpha": seen.get("alpha"), "linewidth": 0.4 if small else 0.6}
        faint = bool(seen.get("faint"))
        edge = {"edgecolor": INK, "alpha": 0.45} if faint else {"edgecolor": INK}
        for at in (*cell.shadows, cell.rectangle):
            _rectangle(axes, at, **{**fill, **edge, "hatch": seen.get("hatch")})
        words = {"fontsize": 6 if small else 6.5, "color": seen.get("colour", INK), "alpha": 0.8 if faint else 1.0}
        axes.text(*cell.rectangle.centre, seen.get("text", cell.label), ha="center", va="center", **words)
    for text, at in () if small else layout.ends:
        axes.text(*at, text, ha="center", va="bottom", fontsize=7, alpha=0.75)


def _rectangle(axes: "Axes", at: Rectangle, **look: Any) -> None:
    from matplotlib.patches import Rectangle as Patch

    axes.add_patch(Patch((at.x, at.y), at.width, at.height, **look))
