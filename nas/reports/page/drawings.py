"""Figures of a run in its page: matplotlib's SVG, each with ids of its own; one that a run cannot give is left out."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from latency.exporters.extras import MissingExtraError
from nas.reports.page.values import Figure
from nas.runs.run import Run
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn

# What the page does not draw itself, in the order in which a reader asks for it.
NAMES: Final = (
    "tradeoff",
    "stages",
    "importance",
    "decisions",
    "evolution",
    "race",
    "training",
    "recovery",
    "workers",
    "calibration",
)

_PLACES: Final = re.compile(r' (?:d|points|transform|viewBox|x|y|x1|x2|y1|y2|width|height|style)="[^"]*"')


def figures_of(*runs: Run, names: Iterable[str] = NAMES) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """Figures of a run, or of several, and notices of what keeps all of them away.

    Args:
        runs: The run, or several; what they lack costs the figures that show it.
        names: Of `nas.reports.figures.FIGURES`.
    """
    from nas.reports.figures import FIGURES
    from nas.reports.writing import svg_of

    figures = []
    for name in names:
        try:
            drawn = FIGURES[name].draw(*runs)
        except MissingExtraError as error:
            return (), (f"There are no figures: {error}",)
        except UserError:  # it says what the run lacks, which `nas plot` tells whoever asks for this one
            continue
        title = _taken_title(drawn) or FIGURES[name].sentence
        svg = svg_of(drawn, name=f"figure-{name}", alt=title)
        figures.append(Figure(name=name, title=title, svg=slim(svg)))
    return tuple(figures), ()


def _taken_title(drawn: "Drawn") -> str:
    """What a figure says above itself, which the page then says instead."""
    title = drawn.get_suptitle()
    drawn.suptitle("")
    return title


def slim(svg: str, /) -> str:
    """The same SVG in fewer characters: places to a hundredth of a point. What is read stays as it is."""
    text = _PLACES.sub(lambda found: re.sub(r"(\d\.\d\d)\d+", r"\1", found[0]), svg)
    return re.sub(r"\n\s*", "\n", text)
