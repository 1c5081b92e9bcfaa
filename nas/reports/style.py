"""How every figure looks: colours, sizes, and how text from data is shown.

Colours are Okabe and Ito's, which colour-blind readers tell apart; what a colour says, a shape, a hatch or a word says
too, so that a figure survives a grey printer. The ground is transparent, and all ink has one colour, for which
`nas.reports.writing` puts the page's own. matplotlib's own settings are left as they were.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec

from latency.exporters.extras import load_extra
from search_spaces.blocks import BlockKind
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")

INK: Final = "#1b1b1f"  # text, axes, and all that is neither a kind nor a verdict; stands for the page's own colour
PALE: Final = 0.45  # opacity of what could as well be chance, or is gone
FAINT: Final = 0.6  # opacity of ink that explains
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072b2", "#de8f05", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#8c8c8c",
)  # fmt: skip
KIND_COLOURS: Final = {BlockKind.RESNET: BLUE, BlockKind.CROSS_ATTENTION: ORANGE}
KIND_MARKERS: Final = {BlockKind.RESNET: "s", BlockKind.CROSS_ATTENTION: "o"}
SERIES: Final = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, GREY)
SERIES_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")

WIDTH: Final = 7.2  # inches: two columns of a journal, 183 mm
MAX_HEIGHT: Final = 14.0
_SETTINGS: Final = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "figure.titlesize": 10,
    "figure.titleweight": "bold",
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "patch.linewidth": 0.6,
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",  # text stays text: it can be read aloud, found and copied
    "svg.hashsalt": "snapfusion-nas",
    "text.color": INK,
    "text.parse_math": False,  # captions and names may hold what matplotlib takes for formulas
    "text.usetex": False,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}


class FigureError(UserError):
    """A run that lacks what a figure shows."""


def styled(draw: "Callable[P, Figure]", /) -> "Callable[P, Figure]":
    """A function that draws, in this style; matplotlib's settings are as before when it returns.

    Numbers that no axis can hold, as of a side file that somebody edited, are a `FigureError`.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import numpy as np

        try:
            with settings(), np.errstate(over="ignore", invalid="ignore"):
                return draw(*args, **kwargs)
        except ValueError as error:
            if "Axis limits cannot be NaN or Inf" not in str(error):
                raise
            raise FigureError(
                "the run holds numbers that are too large to be drawn; `nas frames` shows them"
            ) from error

    return drawn


def new_figure(*, height: float, width: float = WIDTH, title: str = "") -> "Figure":
    """An empty figure that no window manager knows of.

    Args:
        height: In inches; at most `MAX_HEIGHT` is drawn.
        width: In inches.
        title: What is seen, above all axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    make: Callable[..., Figure] = load_extra("matplotlib.figure", extra="plots").Figure
    figure = make(figsize=(width, min(height, MAX_HEIGHT)), layout="constrained")
    if title:
        figure.suptitle(plain(title, most=200), x=0.006, ha="left")
    return figure


def tidy(axes: "Axes", /, *, grid: str = "") -> "Axes":
    """Axes in this style, also where matplotlib makes their ticks later; `grid` is "x", "y" or none."""
    axes.tick_params(labelsize=8, colors=INK, length=2.5, width=0.6)
    if grid:
        axes.grid(axis="x" if grid == "x" else "y", color=INK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def boxes(axes: "Axes", rectangles: Iterable[Sequence[float]], /, **look: Any) -> None:
    """Rectangles of one look as one shape, which is quickly drawn and small in a file.

    Args:
        axes: Whose limits they widen.
        rectangles: Left, bottom, width and height of each; they do not overlap.
        look: As a patch of matplotlib takes it.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [[(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)] for x, y, w, h in rectangles]
    if corners:
        path = Path.make_compound_path(*(Path(each, closed=True) for each in corners))
        axes.add_artist(PathPatch(path, **look))  # as a patch, each side would be asked for its limits
        axes.update_datalim(path.vertices)
        axes.autoscale_view()


def beside(axes: "Axes", text: str, /, *, y: float, colour: str = INK) -> None:
    """A few words to the right of a row."""
    at = {"xycoords": ("axes fraction", "data"), "xytext": (5, 0), "textcoords": "offset points"}
    options: dict[str, Any] = {**at, "va": "center", "fontsize": 7, "color": colour}
    axes.annotate(plain(text), (1, y), **options)


def note(figure: "Figure", text: str, /) -> None:
    """A line of explanation below everything."""
    figure.supxlabel(plain(text, most=400), x=0.006, ha="left", fontsize=7, color=INK, alpha=0.75)


def digits(value: float, /) -> str:
    """A number to three significant digits or so, zeros among them: "35.1", "33.0", "2.30"."""
    size = abs(value)
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def plain(text: object, /, *, most: int = 60) -> str:
    r"""A text as it is shown: controls are spelled out, such as \x1b, and what is too long ends in an ellipsis."""
    shown = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in str(text))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


@contextmanager
def settings() -> Iterator[None]:
    """This style, for as long as something is drawn."""
    matplotlib = load_extra("matplotlib", extra="plots")
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)  # captions in any script
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support .* natively", UserWarning)
        yield
