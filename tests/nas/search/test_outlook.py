"""How far a search is: bounds of work, what is done of it, and the pace."""

from dataclasses import replace
from typing import Any

import pytest

from nas.search.costs.pace import Pace
from nas.search.costs.work import Work
from nas.search.outlook import Outlook
from nas.search.progress import Progress, RoundDone

LEAST = Work(num_rounds=2, num_pictures=100, num_training_steps=10)
MOST = Work(num_rounds=5, num_pictures=400, num_training_steps=40)
PACE = Pace(seconds_per_picture=0.5, seconds_per_training_step=2.0, num_gpus=0)
OUTLOOK = Outlook(least=LEAST, most=MOST, pace=PACE)
SOMEWHERE = Progress(
    phase="scoring", round=1, done=3, total=9, latency_ms=9.0, target_latency_ms=5.0, clip=0.5,
    num_pictures=60, num_training_steps=5,
)  # fmt: skip


def test_what_is_left_is_the_work_that_is_left_at_the_measured_pace() -> None:
    assert OUTLOOK.left_s(SOMEWHERE, elapsed_s=60 * 0.5 + 5 * 2.0) == (40 * 0.5 + 5 * 2.0, 340 * 0.5 + 35 * 2.0)
    assert OUTLOOK.share(SOMEWHERE) == pytest.approx(40 / 280)


def test_a_machine_that_is_half_as_quick_as_it_was_needs_twice_the_time() -> None:
    assert OUTLOOK.left_s(SOMEWHERE, elapsed_s=80.0) == (60.0, 480.0)
    begun = replace(SOMEWHERE, num_pictures=4, num_training_steps=0)
    assert OUTLOOK.left_s(begun, elapsed_s=1000.0) == (68.0, 278.0), "too early to tell"


def test_nothing_is_less_than_over() -> None:
    late = replace(SOMEWHERE, num_pictures=150, num_training_steps=20)
    left = OUTLOOK.left_s(late, elapsed_s=115.0)
    assert left is not None
    assert left[0] == 0
    assert left[1] > 0


def test_without_a_pace_there_is_a_share_and_no_time() -> None:
    unknown = replace(OUTLOOK, pace=None)
    assert unknown.left_s(SOMEWHERE, elapsed_s=40.0) is None
    assert unknown.share(SOMEWHERE) == 60 / 400


def test_no_share_is_more_than_all_and_of_nothing_none_is_done() -> None:
    assert OUTLOOK.share(replace(SOMEWHERE, num_pictures=400, num_training_steps=40)) == 1.0
    assert OUTLOOK.share(replace(SOMEWHERE, num_pictures=500, num_training_steps=40)) == 1.0
    nothing = Work(num_rounds=0, num_pictures=0, num_training_steps=0)
    assert Outlook(least=nothing, most=nothing, pace=PACE).share(SOMEWHERE) == 0.0


def test_a_search_that_goes_beyond_its_bounds_was_not_foreseen() -> None:
    assert OUTLOOK.last_round == 4
    assert OUTLOOK.foresees(replace(SOMEWHERE, round=4))
    assert not OUTLOOK.foresees(replace(SOMEWHERE, round=5))
    assert not OUTLOOK.foresees(replace(SOMEWHERE, num_pictures=401))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"actions": ("-a", "-b")}, "then -a -b"),
        ({"stop": "target reached"}, "the end: target reached"),
        ({}, "the end: nothing more to do"),
        ({"notes": {"error": 0.12345, "by": "clip"}}, "error 0.1235, by clip"),
        ({"notes": {"error": 2.0}, "stop": "no budget"}, "error 2; the end: no budget"),
    ],
)
def test_a_round_is_told_in_a_line(told: dict[str, Any], words: str) -> None:
    done = RoundDone(**({"round": 3, "latency_ms": 9.0, "score": None, "actions": (), "stop": None} | told))
    assert done.sentence(score="CLIP") == f"round 3 done: 9.00 ms; {words}"
