"""Events that somebody edited: what a reader counts on is checked, line by line, and what 0.1.0 wrote passes."""

import json
from pathlib import Path
from typing import Any

import pytest

from nas.runs.frames.rounds import evaluation_frame, round_frame, score_of
from nas.runs.records.event_laws import flaws
from nas.runs.trace import TraceError, read_trace

TRACE = Path(__file__).parents[1] / "goldens" / "run_0_1_0" / "trace.jsonl"
EVENTS: list[dict[str, Any]] = [json.loads(line) for line in TRACE.read_text(encoding="utf-8").splitlines()]
FREE = {"stages", "runtime"}  # what no reader asks for
WRONG = (5.5, "x", [1], {"a": 1}, True)


def test_what_an_earlier_version_wrote_passes() -> None:
    assert [flaws(event) for event in EVENTS] == [[]] * len(EVENTS)


@pytest.mark.parametrize("name", sorted({event["event"] for event in EVENTS}))
def test_every_field_must_be_there_and_of_its_type(name: str) -> None:
    for event in (event for event in EVENTS if event["event"] == name):
        for key in event.keys() - FREE - {"event"}:
            assert flaws({k: v for k, v in event.items() if k != key}), (name, key)
            assert sum(not flaws(event | {key: value}) for value in WRONG) <= 1, (name, key)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"clip": {"mean": 1.0}}, r"clip\.low: must be there, but it is missing"),
        ({"clip": None}, "clip: must be an object"),
        ({"round": "0"}, "round: must be a valid integer, but got '0'"),
        ({"runtime": 5}, "runtime: must be an object"),
        ({"runtime": None}, "runtime: must be an object"),
        ({"round": 2**63}, r"9223372036854775808: must be a whole number of at most 64 bits"),
        ({"score": {"name": "round"}}, r"score\.name: must be an identifier and none of .*, but is 'round'"),
    ],
)
def test_a_broken_event_is_named_by_its_line(change: dict[str, Any], law: str, tmp_path: Path) -> None:
    number = next(number for number, event in enumerate(EVENTS) if event["event"] == "evaluation")
    events = [*EVENTS]
    events[number] = EVENTS[number] | change
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    with pytest.raises(
        TraceError, match=rf"line {number + 1} of .*trace\.jsonl is no event 'evaluation'.*: {law}.*; rest"
    ):
        read_trace(path)


def test_events_that_nobody_knows_are_free_and_read_over() -> None:
    strange = {"event": "something_new", "round": "x"}
    assert flaws(strange) == []
    assert flaws({"event": ["x"]}) == []
    events = [strange, *EVENTS]
    assert round_frame(events).equals(round_frame(EVENTS))
    assert evaluation_frame(events).equals(evaluation_frame(EVENTS))
    assert score_of(events) == "clip"
