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
    "workers",
    "calibration",
)

_SHAPES: Final = re.compile(
    r"<(?!svg\b)[^>]*>"
)  # a tag has coordinates; what is between two, and what is read aloud, words
_DIGITS: Final = re.compile(r"(\d\.\d\d)\d+")


def figures_of(run: Run, /, *, names: Iterable[str] = NAMES) -> tuple[tuple[Figure, ...], tuple[str, ...]]:
    """Figures of a run, and notices of what keeps all of them away.

    Args:
        run: The run; what it lacks costs the figures that show it.
        names: Of `nas.reports.figures.FIGURES`.
    """
    from nas.reports.figures import FIGURES
    from nas.reports.writing import svg_of

    figures = []
    for name in names:
        try:
            drawn = FIGURES[name].draw(run)
        except MissingExtraError as error:
            return (), (f"There are no figures: {error}",)
        except UserError:  # it says what the run lacks, which `nas plot` tells whoever asks for this one
            continue
        title = _taken_title(drawn) or FIGURES[name].sentence
        svg = svg_of(drawn, name=f"figure-{name}", alt=title)
        figures.append(Figure(name=name, title=title, svg=_slim(svg)))
    return tuple(figures), ()


def _taken_title(drawn: "Drawn") -> str:
    """What a figure says above itself, which the page then says instead."""
    title = drawn.get_suptitle()
    drawn.suptitle("")
    return title


def _slim(svg: str) -> str:
    """The same SVG in fewer characters: a hundredth of a point is finer than any screen; words keep their digits."""
    text = _SHAPES.sub(lambda shape: _DIGITS.sub(r"\1", shape[0]), svg)
    return re.sub(r"\n\s*", "\n", text)
