"""Where quality sits: what a round's actions cost and saved, as a heat map over the drawing of the UNet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from nas.reports.facts import actions_of, architectures, base_of, records, scaled, score_name
from nas.reports.figures.importance import importance_rows
from nas.reports.figures.network.cells import large, of_state, put
from nas.reports.layout import Cell, lay_out
from nas.reports.style import BLUE, INK, RED, FigureError, note, plain, styled
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIDDLE: Final = "#e4e4e4"
DARK: Final = 0.52  # brightness below which words in a cell are white
WHAT: Final[Mapping[str, tuple[str, str]]] = {
    "value": ("{score} lost per ms saved", "how much a millisecond costs there"),
    "loss": ("{score} lost", "what its removal alone costs"),
    "saved": ("Saved (ms)", "what its removal alone saves"),
}


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
    known = {row["action"][1:]: row[what] for row in records(rows) if row[what] == row[what]}
    factor, power = scaled(list(known.values()))
    largest = max((abs(factor * value) for value in known.values()), default=1.0) or 1.0
    norm, places = CenteredNorm(0, halfrange=largest), 1 if largest >= 10 else 2
    colours = LinearSegmentedColormap.from_list("loss", [BLUE, MIDDLE, RED])
    label, meaning = WHAT[what]
    figure, axes = large(layout, title=f"Where quality sits in the UNet, round {number}: {meaning}")

    def look(cell: Cell) -> Mapping[str, Any]:
        value = known.get(cell.block)
        if value is None:
            return {**of_state(cell), "facecolor": "none"}
        colour = colours(norm(factor * value))
        dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < DARK
        return {
            "facecolor": colour,
            "text": f"{factor * value:z.{places}f}".replace("-", "−"),
            "colour": "white" if dark else "black",
        }

    put(axes, layout, look=look)
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.5, aspect=25, pad=0.02)
    unit = label.format(score=score_name(run))
    bar.set_label(f"{unit} ({power.strip()})" if power else unit)
    bar.ax.tick_params(labelsize=8, colors=INK, length=2.5, width=0.6)
    bar.outline.set_visible(False)
    note(figure, "In each stage, ResNets stand above and cross-attentions below. Empty: not there, or not scored.")
    return figure
