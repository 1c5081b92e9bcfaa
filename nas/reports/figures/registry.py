"""The figures by name, as `nas plot` lists them: each explains itself by the first line of its docstring."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nas.reports.figures.calibration import calibration
from nas.reports.figures.importance import importance
from nas.reports.figures.network.drawing import evolution, unet
from nas.reports.figures.network.importance_map import importance_map
from nas.reports.figures.pictures import before_after, pictures
from nas.reports.figures.racing import decisions, race
from nas.reports.figures.recovery import recovery
from nas.reports.figures.stages import stages
from nas.reports.figures.swept import swept
from nas.reports.figures.timeline import workers
from nas.reports.figures.tradeoff import fronts, tradeoff
from nas.reports.figures.training import training
from nas.reports.figures.volumes import volumes
from nas.reports.style import FigureError, plain
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFigure:
    """A figure that has a name.

    Attributes:
        name: What `nas plot` calls it.
        draw: Makes it of a run, or of several.
        takes_several: Whether it shows several runs beside each other.
    """

    name: str
    draw: "Callable[..., Figure]"
    takes_several: bool = False

    @property
    def sentence(self) -> str:
        """The question that it answers, and what is seen."""
        return (inspect.getdoc(self.draw) or "").partition("\n")[0]

    @property
    def options(self) -> tuple[str, ...]:
        """Its own options, such as "round"."""
        parameters = inspect.signature(self.draw).parameters.values()
        return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


FIGURES: Final[Mapping[str, NamedFigure]] = {
    figure.name: figure
    for figure in (
        NamedFigure(name="tradeoff", draw=tradeoff),
        NamedFigure(name="stages", draw=stages),
        NamedFigure(name="unet", draw=unet),
        NamedFigure(name="evolution", draw=evolution),
        NamedFigure(name="importance", draw=importance),
        NamedFigure(name="map", draw=importance_map),
        NamedFigure(name="decisions", draw=decisions),
        NamedFigure(name="race", draw=race),
        NamedFigure(name="before_after", draw=before_after),
        NamedFigure(name="pictures", draw=pictures),
        NamedFigure(name="training", draw=training),
        NamedFigure(name="recovery", draw=recovery),
        NamedFigure(name="workers", draw=workers),
        NamedFigure(name="calibration", draw=calibration),
        NamedFigure(name="fronts", draw=fronts, takes_several=True),
        NamedFigure(name="volumes", draw=volumes, takes_several=True),
        NamedFigure(name="swept", draw=swept, takes_several=True),
    )
}


def draw(name: str, runs: Sequence[Run], /, **options: Any) -> "Figure":
    """Draw a figure by its name.

    Args:
        name: A key of `FIGURES`.
        runs: One run, or several where the figure takes them.
        options: Its own, such as `round=2`; those that are None are left to it.

    Raises:
        FigureError: No such figure, too many runs, an option that it lacks, or a run that lacks what it shows.
    """
    figure = FIGURES.get(name)
    if figure is None:
        raise FigureError(f"there is no figure {plain(name)!r}; choose among {', '.join(FIGURES)}")
    if len(runs) != 1 and not figure.takes_several:
        several = ", ".join(other.name for other in FIGURES.values() if other.takes_several)
        raise FigureError(f"the figure {name} is of one run, but got {len(runs)}; of several there is {several}")
    given = {option: value for option, value in options.items() if value is not None}
    if foreign := sorted(given.keys() - set(figure.options)):
        own = f"its options are {', '.join(figure.options)}" if figure.options else "it has none"
        raise FigureError(f"the figure {name} has no option {', '.join(foreign)}: {own}; leave it out")
    return figure.draw(*runs, **given)
