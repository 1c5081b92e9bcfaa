"""The figure of curves: every line has its own look, and only what may be compared is drawn together."""

# fast: tiny networks of random weights, some seconds in all

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.curves.evaluate import run_evaluation
from nas.curves.figure import curves_figure
from nas.curves.points import Curves
from nas.reports.style import FigureError
from nas.reports.writing import write_figure
from tests.nas.curves.conftest import Asked


@pytest.fixture(scope="module")
def curves(model: Path, asked: Asked, tmp_path_factory: pytest.TempPathFactory) -> Curves:
    return run_evaluation([model], settings=asked(), out=tmp_path_factory.mktemp("figure"))


def test_a_line_per_way_to_draw_along_which_guidance_grows(curves: Curves, tmp_path: Path) -> None:
    figure = curves_figure(curves)
    panels = [axes for axes in figure.axes if axes.get_xlabel()]
    assert [axes.get_xlabel().partition(",")[0] for axes in panels] == ["KID", "CMMD", "MIND"]
    assert panels[0].get_legend_handles_labels()[1] == ["DDIM 1", "DDIM 2"]
    line = panels[0].get_lines()[0]
    own = [point for point in curves.points if point.protocol.num_steps == 1]
    assert np.asarray(line.get_xdata()).tolist() == [point.numbers["kid"].value for point in own]
    assert np.asarray(line.get_ydata()).tolist() == [point.numbers["clip"].value for point in own]
    write_figure(figure, tmp_path / "curves.svg")
    assert "12 pictures a row, distances to 24 real" in (tmp_path / "curves.svg").read_text()


def test_several_models_are_told_apart_by_colour(curves: Curves) -> None:
    other = replace(curves, points=tuple(replace(point, model="other") for point in curves.points))
    lines = [line for line in curves_figure(curves, other).axes[0].get_lines() if np.size(line.get_xdata()) > 1]
    looks = [(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines]
    assert len(set(looks)) == len(looks) == 4
    assert len({colour for colour, _, _ in looks}) == 2


def test_numbers_of_other_features_are_not_drawn_together(curves: Curves) -> None:
    with pytest.raises(FigureError, match="the same features"):
        curves_figure(curves, replace(curves, features="dinov2:large"))
