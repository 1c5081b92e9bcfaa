"""The trace: appended, repaired, replayed, and read as frames."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from nas.runs.frames.rounds import CERTAINTY, evaluation_frame, round_frame
from nas.runs.trace import Trace, TraceError, TraceWarning, read_trace
from search_spaces.files.durable.disk import StorageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def record(path: Path, *events: tuple[str, dict[str, Any]]) -> Trace:
    """What one process does: open, emit."""
    trace = Trace(path)
    for number, (event, fields) in enumerate(events):
        trace.emit(event, runtime={"time": number}, fields=fields)
    return trace


EVENTS = (("begun", {"target": 1.5}), ("worked", {"round": 0}), ("chose", {"actions": ("-a", "-b")}))


def test_events_stand_one_a_line_with_what_may_differ_under_one_key(path: Path) -> None:
    record(path, *EVENTS)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == read_trace(path)
    assert read_trace(path) == [
        {"event": "begun", "target": 1.5, "runtime": {"time": 0}},
        {"event": "worked", "round": 0, "runtime": {"time": 1}},
        {"event": "chose", "actions": ["-a", "-b"], "runtime": {"time": 2}},
    ]


def test_an_event_can_be_read_as_soon_as_it_is_emitted(path: Path) -> None:
    trace = Trace(path)
    for number in range(1, 4):
        trace.emit("worked", fields={"round": number})
        assert len(read_trace(path)) == number


def test_a_resumed_search_meets_its_events_again_and_appends_the_new_ones(path: Path) -> None:
    record(path, *EVENTS[:2])
    before = path.read_bytes()
    trace = Trace(path)
    for event, fields in EVENTS:
        trace.emit(event, runtime={"time": 99}, fields=fields)
    assert path.read_bytes().startswith(before), "what an earlier process wrote stays, times included"
    assert (trace.num_past, trace.num_replayed) == (2, 2)
    assert [event["event"] for event in read_trace(path)] == ["begun", "worked", "chose"]


def test_a_search_that_differs_from_the_recorded_one_is_stopped(path: Path) -> None:
    record(path, *EVENTS)
    content = path.read_bytes()
    trace = Trace(path)
    trace.emit("begun", fields={"target": 1.5})
    with pytest.raises(
        TraceError, match=r"line 2 of .*trace\.jsonl is not what this search gives: loss, round differ"
    ) as e:
        trace.emit("worked", fields={"round": 1, "loss": 0.5})
    assert "([None, 0] there, [0.5, 1] now)" in str(e.value)
    assert "start a new run directory" in str(e.value)
    assert path.read_bytes() == content


def test_another_event_at_the_same_place_is_another_search(path: Path) -> None:
    record(path, *EVENTS)
    trace = Trace(path)
    with pytest.raises(TraceError, match=r"line 1 .* event, round, target differ"):
        trace.emit("worked", fields={"round": 0})


@pytest.mark.parametrize("torn", ['{"event": "dec', '{"event": "chose", "actions": []}', "{", "\x00\x00"])
def test_a_torn_last_line_is_dropped_with_a_warning(path: Path, torn: str) -> None:
    record(path, *EVENTS[:2])
    with path.open("a", encoding="utf-8") as file:
        file.write(torn)
    assert len(read_trace(path)) == 2, "reading leaves it out and leaves it be"
    with pytest.warns(TraceWarning, match=rf"trace\.jsonl: dropped a torn last line of {len(torn)} bytes"):
        record(path, *EVENTS)
    assert [event["event"] for event in read_trace(path)] == ["begun", "worked", "chose"]


def test_a_line_torn_within_a_character_is_dropped_too(path: Path) -> None:
    record(path, EVENTS[0])
    with path.open("ab") as file:
        file.write('{"event": "é'.encode()[:-1])
    with pytest.warns(TraceWarning, match="torn last line"):
        record(path, EVENTS[0])
    assert len(read_trace(path)) == 1


@pytest.mark.parametrize(
    ("line", "law"),
    [
        ('{"event": "tra', "line 2 of .* must be JSON"),
        ("\\xff\\xfe", "line 2 of .* must be JSON"),
        ("[1, 2]", "line 2 of .* must be an object with `event`"),
        ('{"round": 0}', "line 2 of .* must be an object with `event`"),
        ("", "line 2 of .* must be JSON"),
    ],
)
def test_a_broken_line_in_the_middle_is_named_and_nothing_is_changed(path: Path, line: str, law: str) -> None:
    record(path, *EVENTS)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = line
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = path.read_bytes()
    with pytest.raises(TraceError, match=law):
        Trace(path)
    with pytest.raises(TraceError, match=law):
        read_trace(path)
    assert path.read_bytes() == content


def test_a_full_disk_leaves_whole_lines_and_the_event_can_be_emitted_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(path, *EVENTS[:2])
    content = path.read_bytes()
    trace = Trace(path)
    for event, fields in EVENTS[:2]:
        trace.emit(event, fields=fields)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(
            StorageError, match=r"cannot write .*trace\.jsonl: the disk is full; free some space and run"
        ):
            trace.emit(EVENTS[2][0], fields=EVENTS[2][1])
    assert path.read_bytes() == content
    trace.emit(EVENTS[2][0], fields=EVENTS[2][1])
    assert [event["event"] for event in read_trace(path)] == ["begun", "worked", "chose"]


def full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_missing_trace_is_named(path: Path) -> None:
    with pytest.raises(TraceError, match=r"there is no trace .*trace\.jsonl; give the directory of a run"):
        read_trace(path)


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "num_prompts": 8, "confidence": 0.95}


SCORED = [
    {"event": "trained", "round": 0, "iterations": 0, "recovering": False, "weights_digest": "w0"},
    {
        "event": "evaluation",
        "round": 0,
        "action": None,
        "arch_id": "abc",
        "clip": interval(0.9),
        "predicted_latency_ms": 8.0,
        "num_params": 100,
    },
    {
        "event": "evaluation",
        "round": 0,
        "action": "-resnet[mid,0]",
        "arch_id": "def",
        "clip": interval(0.8),
        "d_clip": interval(0.1),
        "d_latency_ms": 0.5,
        "value": 0.2,
    },
    {
        "event": "evaluation",
        "round": 0,
        "action": "-resnet[mid,1]",
        "arch_id": "ghi",
        "clip": interval(0.9),
        "d_clip": interval(0.0),
        "d_latency_ms": 0.0,
        "value": None,
    },
    {"event": "decision", "round": 0, "actions": ["-resnet[mid,0]"], "stop": None},
]


def test_frames_hold_removals_and_rounds() -> None:
    removals = evaluation_frame(SCORED)
    assert removals.iloc[0].to_dict() == {
        "round": 0,
        "action": "-resnet[mid,0]",
        "arch_id": "def",
        "weights_digest": "w0",
        "num_prompts": 8,
        "d_clip": 0.1,
        "d_clip_low": 0.0,
        "d_clip_high": 0.2,
        "d_latency_ms": 0.5,
        "value": 0.2,
    }
    assert list(removals["action"]) == ["-resnet[mid,0]", "-resnet[mid,1]"]
    assert removals["value"].isna().tolist() == [False, True]
    rounds = round_frame(SCORED)
    assert rounds[[*CERTAINTY]].isna().all(axis=None), "a round of before says nothing of its certainty"
    assert rounds.drop(columns=[*CERTAINTY]).to_dict("records") == [
        {
            "round": 0,
            "arch_id": "abc",
            "weights_digest": "w0",
            "predicted_latency_ms": 8.0,
            "num_prompts": 8,
            "clip": 0.9,
            "clip_low": 0.8,
            "clip_high": 1.0,
            "num_params": 100,
            "actions": "-resnet[mid,0]",
        }
    ]


def test_frames_of_a_run_that_has_just_begun_are_empty_and_have_their_columns() -> None:
    assert len(evaluation_frame([])) == len(round_frame([])) == 0
    assert list(evaluation_frame([])) == list(evaluation_frame(SCORED))
    assert list(round_frame([])) == list(round_frame(SCORED))
