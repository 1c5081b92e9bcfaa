"""The live screen of a training: what a line holds, and how long the rest will take."""

import io
from itertools import count
from pathlib import Path

from nas.cli.screen.console import Screen
from nas.cli.training.bar import TrainingBar
from nas.launching.news import Begun, Drawn, Encoded, News
from nas.training.loop import StepDone


def step(number: int, *, of: int = 20) -> StepDone:
    return StepDone(step=number, num_steps=of, loss=0.5, learning_rate=2e-4, gradient_norm=1.0, skipped=0.125)


def shown(*news: News, live: bool = False) -> str:
    """What a screen gets when two seconds lie between any two looks at the clock."""
    screen, clock = Screen(), count(0, 2)
    screen.width, screen.file = 120, io.StringIO()
    screen._force_terminal = screen.is_interactive = live
    with TrainingBar(screen, batch_size=8, clock=lambda: float(next(clock))) as bar:
        for each in news:
            bar.show(each)
        bar._bar.refresh()
    return str(screen.file.getvalue())


def test_without_a_terminal_every_tenth_has_a_line() -> None:
    begun = Begun(num_done=0, num_steps=20, process=1, host="here")
    waited, *lines = shown(begun, *(step(number) for number in range(1, 21))).splitlines()
    assert waited == "loading the model"
    assert len(lines) == 10
    assert lines[0] == "step 2 of 20: loss 0.5000, 4.0 pictures/s, 36 s left, rate 2.0e-04, skipped 12%"


def test_what_goes_on_and_what_was_drawn_is_told() -> None:
    told = shown(
        Encoded(num_done=32, num=64), Begun(num_done=7, num_steps=20, process=1, host="here"),
        Drawn(path=Path("samples/step-000007.png"), step=7),
    )  # fmt: skip
    assert told.splitlines()[1:] == ["goes on after step 7 of 20", "pictures: samples/step-000007.png"]


def test_a_terminal_sees_the_step_that_is_done() -> None:
    told = shown(Begun(num_done=0, num_steps=2000, process=1, host="here"), step(1, of=2000), live=True)
    assert "step 1/2,000" in told
    assert "4.0 pictures/s, 67 min left" in told
