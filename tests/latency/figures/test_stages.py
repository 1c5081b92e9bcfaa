"""Pictures show the numbers that they are made of."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

from latency.blocks.subnetworks import random_architectures
from latency.figures.calibration import calibration_figure
from latency.figures.canvas import PictureError, check_picture, write_figure
from latency.figures.stages import (
    COLOURS,
    OTHER,
    OUTSIDE,
    SHOWN,
    block_figure,
    milliseconds_by_paper_stage,
    stage_figure,
)
from latency.trust.calibration import Calibration, MeasuredModel
from search_spaces.files.durable.places import PlaceError
from tests.latency.strategies import TOKENS, small_space, table_of

SPACE = small_space()
TABLE = table_of(SPACE)
PREDICTION = TABLE.predict(SPACE.sites(SPACE.base, context_tokens=TOKENS))
ABOUT: dict[str, Any] = {"device": TABLE.device, "runtime": TABLE.runtime}


def test_stages_hold_everything_once():
    stages = milliseconds_by_paper_stage(PREDICTION, space=SPACE)
    assert list(stages) == ["Down-1", "Down-2", "Mid", "Up-1", "Up-2", OUTSIDE]
    assert sum(ms for kinds in stages.values() for ms in kinds.values()) == pytest.approx(PREDICTION.total_ms)


def test_a_stages_bar_is_as_high_as_its_milliseconds():
    (axes,) = stage_figure(PREDICTION, space=SPACE, **ABOUT).axes
    bars = cast(Iterable[Rectangle], axes.patches)
    assert sum(bar.get_height() for bar in bars) == pytest.approx(PREDICTION.total_ms)
    assert axes.get_title() == f"{PREDICTION.total_ms:.1f} ms on phone, engine 1.0"


def test_every_block_has_its_bar_in_its_colour_and_every_stage_its_name():
    (axes,) = block_figure(PREDICTION, space=SPACE, **ABOUT).axes
    (bars,) = (container for container in axes.containers if isinstance(container, BarContainer))
    assert [bar.get_height() for bar in bars] == [block.ms for block in PREDICTION.breakdown]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == [
        COLOURS[SHOWN.get(block.kind, OTHER)] for block in PREDICTION.breakdown
    ]
    assert [text.get_text().split("\n")[0] for text in axes.texts] == ["Down-1", "Down-2", "Mid", "Up-1", "Up-2"]
    assert bars.errorbar is not None
    (lines,) = bars.errorbar[2]
    reached = [(segment[0][1], segment[1][1]) for segment in lines.get_segments()]
    assert reached == [pytest.approx((block.p10_ms, block.p90_ms if block.ms else 0)) for block in PREDICTION.breakdown]
    assert any(low < high for low, high in reached)
    shares = [int(text.get_text().split("\n")[1].removesuffix("%")) for text in axes.texts]
    assert 80 <= sum(shares) <= 100


@pytest.mark.parametrize("name", ["$\\frac{$", "a$b$c", "[/x]{}%s"])
def test_a_devices_name_is_no_formula(name: str, tmp_path: Path):
    device, runtime = replace(TABLE.device, name=name), TABLE.runtime
    base = MeasuredModel(architecture=SPACE.base, predicted_ms=20, measured_ms=21)
    for figure in (
        stage_figure(PREDICTION, space=SPACE, device=device, runtime=runtime),
        block_figure(PREDICTION, space=SPACE, device=device, runtime=runtime),
        calibration_figure(Calibration(base=base, subnetworks=(base,)), device=device, runtime=runtime),
    ):
        assert name in figure.axes[0].get_title()
        write_figure(figure, tmp_path / "picture.svg")
        assert (tmp_path / "picture.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_a_picture_of_no_known_kind_is_refused_before_it_is_drawn(tmp_path: Path):
    with pytest.raises(PictureError, match=r"must end in one of .*\.png.*, but got x\.xyz"):
        check_picture(tmp_path / "x.xyz")
    (tmp_path / "file").touch()
    with pytest.raises(PlaceError, match=r"x\.png must lie in a folder, but \S+file is none"):
        check_picture(tmp_path / "file" / "x.png")
    check_picture(tmp_path / "x.PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_calibration_shows_every_model_and_marks_the_worst():
    models = tuple(
        MeasuredModel(architecture=architecture, predicted_ms=10 + number, measured_ms=10 + number + (number == 3))
        for number, architecture in enumerate(random_architectures(SPACE, num=6, seed=0))
    )
    base = MeasuredModel(architecture=SPACE.base, predicted_ms=20, measured_ms=21)
    (axes,) = calibration_figure(Calibration(base=base, subnetworks=models), **ABOUT).axes
    clouds = {cloud.get_label(): cloud.get_offsets().tolist() for cloud in axes.collections}
    assert clouds["sub-networks"] == [[m.measured_ms, m.predicted_ms] for m in models]
    assert clouds["whole UNet"] == [[21, 20]]
    assert clouds[f"worst, off by {1 / 14:.1%}"] == [[14, 13]]
    assert "mean error 1.2%, bias 1.000, Kendall tau 0.93" in axes.get_title()
