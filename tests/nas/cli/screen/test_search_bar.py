"""The live screen of a search: what fits 80 columns, and what stays."""

import io
import re
from dataclasses import replace

import pytest

from nas.cli.screen.console import Screen
from nas.cli.screen.search_bar import SearchBar
from nas.scores.intervals import Interval
from nas.search.costs.pace import Pace
from nas.search.costs.work import Work
from nas.search.outlook import Outlook
from nas.search.progress import Progress, RoundDone

HUGE = Work(num_rounds=20, num_pictures=999_999, num_training_steps=500_000)
PACE = Pace(seconds_per_picture=1.0, seconds_per_training_step=1.0, num_gpus=8)
OUTLOOK = Outlook(least=replace(HUGE, num_pictures=400_000), most=HUGE, pace=PACE)
TRAINING = Progress(
    phase="robust training", round=19, done=1234, total=20_000, latency_ms=1234.56, target_latency_ms=1000.0,
    clip=0.31234, num_pictures=987_654, num_training_steps=476_234,
)  # fmt: skip
DONE = RoundDone(
    round=3,
    latency_ms=31.4,
    score=Interval(mean=0.9023, low=0.9, high=0.91, num_prompts=20, confidence=0.95),
    actions=("-resnet[down.0,1]", "-cross_attention[up.3,0]"),
    stop=None,
)


def shown(width: int, *, live: bool, progress: Progress = TRAINING) -> str:
    """What a screen gets while a search trains and ends a round."""
    screen = Screen()
    screen.width, screen.file = width, io.StringIO()
    screen._force_terminal = screen.is_interactive = live
    clock = iter(range(0, 10_000_000, 100_000))
    with SearchBar(screen, OUTLOOK, score="CLIP", clock=lambda: float(next(clock))) as bar:
        bar.expect(OUTLOOK)
        bar.show(progress)
        bar._bar.refresh()
        bar.end_round(DONE)
    return str(screen.file.getvalue())


@pytest.fixture(autouse=True)
def _able_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can move its cursor."""
    monkeypatch.setenv("TERM", "xterm")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize(("num", "pictures"), [(987_654, "987,654/999,999 pictures"), (321, "321/999,999 pictures")])
def test_the_largest_search_fits_80_columns_with_all_its_numbers(num: int, pictures: str) -> None:
    text = plain(shown(80, live=True, progress=replace(TRAINING, num_pictures=num)))
    lines = [line for line in re.split(r"[\r\n]", text) if "training" in line]
    assert lines
    for line in lines:
        assert len(line.rstrip()) <= 80
        assert "round 19 of at most 19: training" in line
        assert pictures in line
        assert re.search(r"<\S+ (min|h|days) left", line)
        assert "…" not in line


def test_a_line_stays_for_every_round_and_is_never_cut() -> None:
    line = "round 3 done: 31.40 ms, CLIP 0.9023; then -resnet[down.0,1] -cross_attention[up.3,0]"
    for live in (True, False):
        assert line in plain(shown(40, live=live)).splitlines()


def test_where_nobody_looks_there_is_a_line_per_phase() -> None:
    assert plain(shown(80, live=False)).splitlines() == [
        "loading the models",
        "round 19 of at most 19: robust training (1234.56 ms, target 1000.00 ms, CLIP 0.3123)",
        "round 3 done: 31.40 ms, CLIP 0.9023; then -resnet[down.0,1] -cross_attention[up.3,0]",
    ]


def test_an_extended_search_says_no_bounds_that_are_not_its_own_and_its_bar_is_that_of_the_phase() -> None:
    text = plain(shown(80, live=True, progress=replace(TRAINING, round=20, done=2_500)))
    assert re.search(r"training ━ {8}987,654", text), "an eighth"
    assert "round 20: training" in text
    assert "987,654 pictures" in text
    assert "left" not in text


def test_the_end_of_a_search_is_said_with_its_reason() -> None:
    screen = Screen()
    screen.file = io.StringIO()
    SearchBar(screen, OUTLOOK, score="CLIP").end_round(replace(DONE, actions=(), stop="converged", score=None))
    assert screen.file.getvalue() == "round 3 done: 31.40 ms; the end: converged\n"
