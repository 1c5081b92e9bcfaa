"""What is told of a sweep's trials as they end, and how long the others will take."""

import io
import pickle
from itertools import count
from types import SimpleNamespace
from typing import Any

from nas.cli.screen.console import Screen
from nas.cli.sweeps.bar import SweepBar
from nas.sweeps.ended import Telling, TrialEnded

SAID: dict[str, Any] = {"objective": 0.79, "score": 0.79, "latency_ms": 32.0, "target_met": True, "is_read": False}
MISSED = SAID | {"objective": -9.3, "score": 0.7, "target_met": False}


def heard(*said: dict[str, Any] | None, num: int = 8, num_finished: int = 0, concurrency: int = 1) -> list[TrialEnded]:
    """What is told when trials end one after another, 100 s each, with what they said; None = failed."""
    told: list[TrialEnded] = []
    clock = count(0, 100)
    telling = Telling(
        num=num, num_finished=num_finished, concurrency=concurrency, listen=told.append, clock=lambda: next(clock)
    )
    callback = telling.callback()
    for number, each in enumerate(said):
        trial: Any = SimpleNamespace(trial_id=str(number), last_result=each and {**each, "values": {"seed": number}})
        callback.on_trial_start(0, [], trial)
        (callback.on_trial_complete if each else callback.on_trial_error)(0, [], trial)
    return told


def test_the_time_to_the_end_is_that_of_trials_that_run() -> None:
    told = heard(SAID, SAID, None)
    assert [each.number for each in told] == [1, 2, 3]
    assert [each.left_s for each in told] == [700, 600, 500]
    assert told[1].values == {"seed": 1}
    assert (told[2].objective, told[2].values, told[2].target_met) == (None, {}, False)
    assert heard(SAID, concurrency=2)[0].left_s == 350


def test_trials_that_were_finished_before_neither_take_time_nor_tell_of_it() -> None:
    read = SAID | {"is_read": True}
    told = heard(read, read, SAID, num_finished=3)
    assert [each.left_s for each in told] == [None, None, 400], "of the five that are left one will only be read"


def test_what_ray_keeps_of_the_listener_has_no_screen() -> None:
    kept = pickle.loads(pickle.dumps(Telling(num=1, num_finished=0, concurrency=1, listen=print).callback()))
    kept.on_trial_error(0, [], SimpleNamespace(trial_id="0"))


def shown(*told: TrialEnded, live: bool = False) -> str:
    screen = Screen()
    screen.width, screen.file = 120, io.StringIO()
    screen._force_terminal = screen.is_interactive = live
    with SweepBar(screen, num=8) as bar:
        for each in told:
            bar.show(each)
        bar._bar.refresh()
    return str(screen.file.getvalue())


def test_every_trial_leaves_a_line_in_a_pipe_too() -> None:
    assert shown(*heard(SAID, MISSED, None, SAID | {"is_read": True})).splitlines() == [
        "0 of 8 trials, each in a process of its own",
        "trial 1 of 8: score 0.7900 at 32.00 ms (seed=0), took 2 min; 12 min left",
        "trial 2 of 8: score 0.7000 at 32.00 ms, misses its target: -9.3000 (seed=1), took 2 min; 10 min left",
        "trial 3 of 8 failed after 2 min; 8 min left",
        "trial 4 of 8: score 0.7900 at 32.00 ms (seed=3), was done before; 7 min left",
    ]


def test_a_terminal_has_a_bar_as_well() -> None:
    told = shown(*heard(SAID, MISSED), live=True)
    assert "trial 1 of 8: score 0.7900" in told
    assert "2 of 8 trials" in told
    assert "best 0.7900, 10 min left" in told
