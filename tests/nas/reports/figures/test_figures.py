"""Figures of made-up searches: what they show follows the events, at any moment of a search, and obeys no caption."""

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib._pylab_helpers import Gcf
from matplotlib.figure import Figure

from nas.reports.facts import actions_of, scaled
from nas.reports.figures import FIGURES, draw
from nas.reports.figures.importance import importance_rows
from nas.reports.figures.tradeoff import undominated
from nas.reports.style import MAX_HEIGHT, PALE, FigureError, digits
from nas.reports.writing import Ground, picture_of, svg_of, title_of, write_figure
from nas.runs.bundled.naming import BUNDLED_RUNS
from nas.runs.run import Run, open_run
from tests.nas.reports.stories import CAPTIONS, NUM_ACTIONS, PROMPTS, TARGET_MS, keep_scores, story, written

EVENTS = story()
OF_TRACE = ("tradeoff", "stages", "unet", "evolution", "importance", "map", "race", "training", "fronts", "volumes")
OF_SCORES = ("decisions", "before_after", "pictures")
OF_MEASURING = ("workers", "calibration", "recovery")  # of which these events hold nothing
OF_SEVERAL = ("swept",)  # see test_swept.py


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("runs") / "told", EVENTS)
    keep_scores(folder, EVENTS)
    return folder


@pytest.fixture(scope="module")
def drawn(folder: Path) -> Callable[[str], Any]:
    """Figures of that run by name, each drawn once; `Any` for what matplotlib's types leave open."""
    return cache(lambda name: draw(name, [open_run(folder)]))


def words(figure: Figure, /) -> list[str]:
    """All that a figure says, as a reader of its SVG finds it."""
    root = ET.fromstring(svg_of(figure, name="f"))  # noqa: S314 - our own
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text")]


def boxes_of(patches: Sequence[Any], /) -> list[list[float]]:
    """Left, bottom, width and height of all rectangles that are drawn as few shapes."""
    corners = np.concatenate([patch.get_path().vertices.reshape(-1, 5, 2) for patch in patches])
    return np.hstack([corners[:, 0], corners[:, 2] - corners[:, 0]]).tolist()


def test_every_figure_is_tried_here() -> None:
    assert {*OF_TRACE, *OF_SCORES, *OF_MEASURING, *OF_SEVERAL} == FIGURES.keys()
    assert all(figure.sentence.endswith(".") and "?" in figure.sentence for figure in FIGURES.values())


@pytest.mark.parametrize("name", [*OF_TRACE, *OF_SCORES])
def test_a_figure_is_of_bounded_size_says_what_it_shows_and_leaves_matplotlib_as_it_was(
    name: str, folder: Path
) -> None:
    before = dict(mpl.rcParams)
    figure = draw(name, [open_run(folder)])
    svg = svg_of(figure, name=name)
    assert dict(mpl.rcParams) == before
    assert not Gcf.figs, "pyplot knows of no figure"
    assert title_of(figure)
    assert len(svg) < 200_000
    assert figure.get_size_inches()[1] <= MAX_HEIGHT


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A run after each of its events."""
    events, folder = story(num_rounds=1, num_actions=2), tmp_path_factory.mktemp("moments")
    return [open_run(written(folder / str(num), events[:num])) for num in range(len(events) + 1)]


@pytest.mark.parametrize("name", FIGURES)
def test_a_run_that_was_cut_anywhere_is_drawn_or_says_what_it_lacks(name: str, moments: list[Run]) -> None:
    drawn = []
    for num, run in enumerate(moments):
        with suppress(FigureError):
            draw(name, [run])
            drawn.append(num)
    assert drawn == list(range(min(drawn, default=len(moments)), len(moments))), "what shows once, stays"
    assert bool(drawn) is (name in OF_TRACE)


def test_importance_has_a_row_an_action_by_value_and_pale_where_it_could_be_chance(folder: Path) -> None:
    run = open_run(folder)
    number, scored = actions_of(run, round=1)
    rows = importance_rows(run, scored, number=number)
    assert sorted(rows["action"]) == sorted(scored["action"])
    assert rows["value"].is_monotonic_increasing
    assert rows["fate"].tolist() == ["removed"] * 2 + [""] * (NUM_ACTIONS - 2)
    panels: Any = draw("importance", [run], round=1).axes
    left, middle, right = panels
    assert [label.get_text() for label in left.get_yticklabels()] == rows["name"].tolist()
    bars = sorted((middle_y, width) for _, middle_y, width, _ in boxes_of(middle.patches))
    assert [width for _, width in bars] == pytest.approx(rows["saved"].tolist())
    covers = (rows["loss_low"] <= 0) & (rows["loss_high"] >= 0)
    assert covers.any()
    assert not covers.all()
    for axes in (left, right):
        dots = [line for line in axes.lines if line.get_marker() in ("s", "o")]
        pale = {y: line.get_alpha() == PALE for line in dots for y in line.get_ydata()}
        assert [pale[y] for y in range(len(rows))] == covers.tolist()
    assert draw("importance", [run]).get_suptitle().endswith("round 0")


def test_the_map_says_every_value_in_its_block(folder: Path) -> None:
    run = open_run(folder)
    _, scored = actions_of(run, round=0)
    for what, column in (("value", "value"), ("loss", "d_clip"), ("saved", "d_latency_ms")):
        axes: Any = draw("map", [run], what=what).axes[0]
        said = [text.get_text().replace("−", "-") for text in axes.texts]
        shown = [float(word) for word in said if re.fullmatch(r"-?[\d.]+", word)]
        factor, _ = scaled(scored[column].tolist())
        assert sorted(shown) == pytest.approx(sorted(factor * scored[column]), abs=0.06)
    with pytest.raises(FigureError, match="`what` must be one of value, loss, saved, but got 'price'"):
        draw("map", [run], what="price")


@pytest.mark.parametrize("num_rounds", [1, 2, 4])
def test_evolution_has_a_panel_a_round_with_what_left_after_it(num_rounds: int, tmp_path: Path) -> None:
    run = open_run(written(tmp_path / "run", story(num_rounds)))
    panels = [axes for axes in draw("evolution", [run]).axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left").split("\n")[0] for axes in panels] == [
        *(f"Round {number}" for number in range(num_rounds)),
        f"Round {num_rounds}, found",
    ]
    left = [sum(text.get_text() == "−" for text in axes.texts) for axes in panels]
    assert left == [2] * num_rounds + [0]


def test_the_drawing_hatches_what_was_removed(drawn: Callable[[str], Any]) -> None:
    (axes,) = drawn("unet").axes
    removed = sum(len(event["actions"]) for event in EVENTS if event["event"] == "decision")
    assert sum(bool(patch.get_hatch()) for patch in axes.patches) == removed


def test_the_path_goes_through_every_round_to_the_target(folder: Path, drawn: Callable[[str], Any]) -> None:
    run = open_run(folder)
    (axes,) = drawn("tradeoff").axes
    path = axes.containers[0].lines[0]
    assert path.get_xdata().tolist() == run.rounds()["predicted_latency_ms"].tolist()
    assert [line.get_xdata() for line in axes.lines if list(line.get_xdata()) == [TARGET_MS] * 2]
    assert len(axes.collections[0].get_offsets()) == len(run.evaluations())
    assert {"0 · base", "1", "2 · found"} <= set(words(drawn("tradeoff")))


def test_a_race_has_a_bar_an_action(folder: Path, drawn: Callable[[str], Any]) -> None:
    run = open_run(folder)
    bars = [[height for *_, height in boxes_of(axes.patches)] for axes in drawn("race").axes if axes.patches]
    assert [len(heights) for heights in bars] == run.evaluations().groupby("round").size().tolist()
    assert sum(map(sum, bars)) == run.evaluations()["num_prompts"].sum()


def test_a_race_says_how_many_of_the_actions_it_scored(folder: Path, tmp_path: Path) -> None:
    two_more = {"num_pictures_exhaustive": len(PROMPTS) * (1 + NUM_ACTIONS + 2)}
    events = [each | two_more if each["event"] == "race" and each["round"] == 0 else each for each in EVENTS]
    names = [axes.get_xlabel() for axes in draw("race", [open_run(written(tmp_path / "raced", events))]).axes]
    assert names[:2] == ["6 of 8 actions", "6 actions"]


@pytest.mark.parametrize(("value", "shown"), [(33.0, "33.0"), (2.3, "2.30"), (0.05, "0.05"), (1234.4, "1234")])
def test_a_number_keeps_its_zeros(value: float, shown: str) -> None:
    assert digits(value) == shown


def test_training_explains_dots_and_recovery_where_there_are_some(drawn: Callable[[str], Any]) -> None:
    (told,) = [text for text in words(drawn("training")) if "Dashed" in text]
    assert told.startswith("Line: every step."), "of few steps there is no mean"


def test_decisions_are_those_that_were_taken_in_their_order(folder: Path, drawn: Callable[[str], Any]) -> None:
    run = open_run(folder)
    taken = run.decisions()
    taken = taken[taken["action"].notna()]
    (axes,) = drawn("decisions").axes
    dots = [100 * chance for chance in taken["chance"]]
    (line,) = (line for line in axes.lines if line.get_marker() == "o")
    assert line.get_xdata() == pytest.approx(dots)
    assert line.get_ydata().tolist() == list(range(len(dots)))
    assert len(axes.get_yticklabels()) == len(taken) == 4


def test_stages_count_blocks_and_say_what_is_missing_where_there_are_no_prices(drawn: Callable[[str], Any]) -> None:
    figure = drawn("stages")
    assert any("are missing: the run has no breakdown.jsonl" in text for text in words(figure))
    (axes,) = figure.axes
    half = len(axes.patches) // 2
    base, found = (sum(high for *_, high in boxes_of(part)) for part in (axes.patches[:half], axes.patches[half:]))
    assert base == pytest.approx(22 + 16)
    assert found == pytest.approx(base - 4)


def test_captions_and_names_show_as_text(tmp_path: Path) -> None:
    events = story(1)
    folder = written(tmp_path / "<b>$a_1$", events)
    keep_scores(folder, events)
    run = open_run(folder)
    said = " ".join(" ".join(words(draw("pictures", [run]))).split())
    for caption in (*CAPTIONS[:3], r"a \x1b[31mgreen\x00 square"):
        assert "".join(caption.split()) in said.replace(" ", ""), "letter by letter, whatever the lines"
    assert "<script" not in svg_of(draw("pictures", [run]), name="p")
    assert "<b>$a_1$" in words(draw("fronts", [run]))


def test_pictures_are_those_of_the_rounds(folder: Path, drawn: Callable[[str], Any]) -> None:
    run = open_run(folder)
    shown = [axes for axes in draw("pictures", [run], num_prompts=2).axes if axes.images]
    assert len(shown) == 2 * len(run.rounds())
    both: Any = [axes for axes in drawn("before_after").axes if axes.images]
    assert len(both) == 2 * len(PROMPTS)
    assert not np.array_equal(both[0].images[0].get_array(), both[-1].images[0].get_array())


def test_fronts_name_their_runs_and_refuse_what_cannot_be_compared(folder: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "told", story(1))
    said = words(draw("fronts", [open_run(folder), open_run(other)]))
    assert {"/".join(path.parts[-2:]) for path in (folder, other)} <= set(said), "of one name: with their folders"
    score = {"name": "colour", "unit": "share", "higher_is_better": True}
    strange = open_run(written(tmp_path / "strange", story(1, score=score)))
    with pytest.raises(FigureError, match="fronts need runs by one score, but got clip, colour"):
        draw("fronts", [open_run(folder), strange])
    with pytest.raises(FigureError, match="for 1 to 7 runs, but got 8"):
        draw("fronts", [open_run(folder)] * 8)
    with pytest.raises(FigureError, match="tradeoff is of one run, but got 2; of several there is fronts"):
        draw("tradeoff", [open_run(folder), open_run(other)])


def test_another_score_has_its_own_name(tmp_path: Path) -> None:
    score = {"name": "colour", "unit": "share", "higher_is_better": False}
    run = open_run(written(tmp_path / "run", story(1, score=score)))
    for name in ("tradeoff", "importance", "evolution", "fronts"):
        said = " ".join(words(draw(name, [run])))
        assert "colour" in said
        assert "CLIP" not in said


@given(points=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_a_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    kept = undominated([ms for ms, _ in points], [good for _, good in points])
    front = [point for point, keep in zip(points, kept, strict=True) if keep]
    assert front
    for ms, good in points:
        assert any(x <= ms and y >= good for x, y in front), "whatever is left out is beaten by what stays"
    for x, y in front:
        assert not any((ms < x and good >= y) or (ms <= x and good > y) for ms, good in points)


def test_ink_takes_the_colour_of_the_ground_and_comes_back(drawn: Callable[[str], Any], tmp_path: Path) -> None:
    figure = drawn("unet")
    svg = svg_of(figure, name="u")
    assert 'fill="currentColor"' in svg or "fill: currentColor" in svg
    assert "#1b1b1f" not in svg
    write_figure(figure, tmp_path / "dark.svg", ground=Ground.DARK)
    dark = (tmp_path / "dark.svg").read_text(encoding="utf-8")
    assert "#1b1b1f" not in dark
    assert "#e8e8ea" in dark
    assert svg_of(figure, name="u") == svg, "as it was before"


def test_an_svg_leaves_the_figure_as_it_was(drawn: Callable[[str], Any]) -> None:
    figure = drawn("race")
    before = figure.get_layout_engine(), figure.canvas, figure.get_dpi()
    assert before[0] is not None
    svg_of(figure, name="r")
    assert (figure.get_layout_engine(), figure.canvas, figure.get_dpi()) == before


def test_ids_of_two_figures_on_one_page_differ(drawn: Callable[[str], Any]) -> None:
    figure = drawn("race")
    roots = [ET.fromstring(svg_of(figure, name=name)) for name in ("a", "b")]  # noqa: S314 - our own
    ids, others = ({e.get("id") for e in root.iter() if e.get("id")} for root in roots)
    assert ids
    assert not ids & others
    for e in roots[0].iter():
        for value in e.attrib.values():
            named = re.findall(r"url\(#([^)]+)\)|^#([\w-]+)$", value)
            assert {one or other for one, other in named} <= ids, "what is referred to is there"


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_same_figure_makes_the_same_file(form: str, folder: Path) -> None:
    one, other = (picture_of(draw("fronts", [open_run(folder)]), form=form) for _ in range(2))
    assert one == other


def test_numbers_that_no_axis_holds_are_said(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(BUNDLED_RUNS["sample"], tmp_path / "run"))
    lines = (copy / "breakdown.jsonl").read_text(encoding="utf-8")
    (copy / "breakdown.jsonl").write_text(re.sub(r'"ms": [\d.e-]+', '"ms": 1e308', lines), encoding="utf-8")
    with pytest.raises(FigureError, match="numbers that are too large to be drawn"):
        FIGURES["stages"].draw(open_run(copy))
