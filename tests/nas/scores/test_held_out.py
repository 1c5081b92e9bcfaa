"""Held-out scores of a finished search, as its trace and its words have them."""

from dataclasses import asdict
from typing import Any

from nas.scores.held_out import HeldOutScores, held_out_scores
from nas.scores.intervals import Interval


def interval(mean: float) -> Interval:
    return Interval(mean=mean, low=mean - 0.1, high=mean + 0.1, num_prompts=100, confidence=0.95)


def measurement(prompts: str, *, base: float | None = None, **found: float) -> dict[str, Any]:
    subjects = [{"arch_id": name, "score": asdict(interval(mean)), "loss": None} for name, mean in found.items()]
    reference = None if base is None else asdict(interval(base))
    return {"event": "measurement", "prompts": prompts, "subjects": subjects, "reference": reference}


STARTED, FINISHED = {"event": "search_started"}, {"event": "search_finished", "arch_id": "a"}
OTHERS: list[dict[str, Any]] = [
    {"event": "decision", "prompts": "held_out"},
    measurement("deciding", a=0.2),
]


def test_the_last_held_out_measurement_of_what_was_found_counts() -> None:
    events = [STARTED, measurement("held_out", a=0.1), measurement("held_out", b=0.3, a=0.5, base=0.6), *OTHERS]
    assert held_out_scores([*events, FINISHED]) == HeldOutScores(found=interval(0.5), base=interval(0.6))


def test_without_such_a_measurement_of_this_search_there_are_none() -> None:
    before = measurement("held_out", a=0.1)
    for events in ([], [STARTED, before], [STARTED, measurement("held_out", b=0.3), FINISHED], [STARTED, FINISHED]):
        assert held_out_scores(events) is None
    for begun in ("search_started", "search_extended"):
        assert held_out_scores([before, {"event": begun}, *OTHERS, FINISHED]) is None


def test_words_hold_what_is_known() -> None:
    alone = HeldOutScores(found=interval(0.5))
    assert alone.words() == "0.5000 [0.4000, 0.6000] (100 prompts)"
    paired = HeldOutScores(found=interval(0.5), base=interval(0.6), loss=interval(0.1))
    assert paired.words() == (
        "0.6000 [0.5000, 0.7000] -> 0.5000 [0.4000, 0.6000], lost per prompt, paired: +0.1000 [+0.0000, +0.2000] "
        "(100 prompts)"
    )
