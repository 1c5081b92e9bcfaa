"""Figures of a search: functions that take a run and return a matplotlib figure, for notebooks, files and pages.

`nas plot --list` says what each shows. `nas.reports.writing` makes files of them, and SVG for a page.
"""

from nas.reports.figures.calibration import calibration
from nas.reports.figures.importance import importance
from nas.reports.figures.network.drawing import evolution, unet
from nas.reports.figures.network.importance_map import importance_map
from nas.reports.figures.pictures import before_after, pictures
from nas.reports.figures.racing import decisions, race
from nas.reports.figures.recovery import recovery
from nas.reports.figures.registry import FIGURES, NamedFigure, draw
from nas.reports.figures.stages import stages
from nas.reports.figures.timeline import workers
from nas.reports.figures.tradeoff import fronts, tradeoff
from nas.reports.figures.training import training
from nas.reports.figures.volumes import volumes

__all__ = [
    "FIGURES",
    "NamedFigure",
    "before_after",
    "calibration",
    "decisions",
    "draw",
    "evolution",
    "fronts",
    "importance",
    "importance_map",
    "pictures",
    "race",
    "recovery",
    "stages",
    "tradeoff",
    "training",
    "unet",
    "volumes",
    "workers",
]
