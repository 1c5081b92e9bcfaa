"""What a search is foreseen to cost: bounds that real searches keep, and a pace that was measured."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.evaluation.captions.embedder import Chunk
from nas.evaluation.captions.known import CaptionsInMemory
from nas.runs.trace import read_trace
from nas.search.costs.pace import CostEstimate, Pace
from nas.search.costs.work import Work
from nas.search.estimate import estimate_cost, expected_work
from nas.search.progress import Progress, RoundDone
from tests.nas.searching import comparable_trace, search
from tests.nas.synthetic import FREE_BLOCKS, small_config, write_experiment

NUM_PROMPTS = 3


def test_a_search_does_what_was_foreseen(run: Path, experiment: Path) -> None:
    least, most = expected_work(resolve(load_config(experiment)))
    events = read_trace(run / "trace.jsonl")
    trained = [event for event in events if event["event"] == "trained"]
    num_pictures = NUM_PROMPTS * sum(event["event"] == "evaluation" for event in events)
    assert least.num_rounds <= len(trained) <= most.num_rounds
    assert least.num_training_steps <= sum(event["iterations"] for event in trained) <= most.num_training_steps
    assert least.num_pictures <= num_pictures <= most.num_pictures


def test_who_watches_is_told_of_all_work_and_of_every_round(run: Path, experiment: Path) -> None:
    told: list[Progress] = []
    rounds: list[RoundDone] = []
    search(experiment, run, on_progress=told.append, on_round=rounds.append)
    events = read_trace(run / "trace.jsonl")
    assert [each.num_pictures for each in told] == sorted(each.num_pictures for each in told)
    assert [each.num_training_steps for each in told] == sorted(each.num_training_steps for each in told)
    assert told[-1].num_pictures == NUM_PROMPTS * sum(event["event"] == "evaluation" for event in events)
    assert told[-1].num_training_steps == sum(event.get("iterations", 0) for event in events)
    own = {
        event["round"]: (event["predicted_latency_ms"], event["clip"]["mean"])
        for event in events
        if event["event"] == "evaluation" and event["action"] is None
    }
    decisions = [event for event in events if event["event"] == "decision"]
    assert [(each.round, each.actions, each.stop) for each in rounds] == [
        (event["round"], tuple(event["actions"]), event["stop"]) for event in decisions
    ]
    for each in rounds:
        assert each.score is not None
        assert (each.latency_ms, each.score.mean) == own[each.round]


def test_exhaustive_pictures_are_counted_by_hand(tmp_path: Path) -> None:
    config = small_config(removals_per_round=5, target_ratio=0.999) | {"racing": {"enabled": False}}
    least, most = expected_work(resolve(load_config(write_experiment(tmp_path, config))))
    first, recovery = NUM_PROMPTS * (1 + len(FREE_BLOCKS)), NUM_PROMPTS
    assert least == most == Work(num_rounds=2, num_pictures=first + recovery, num_training_steps=2 + 2)


def test_racing_can_be_cheaper_and_never_dearer(experiment: Path) -> None:
    exhaustive = expected_work(resolve(load_config(experiment, overrides=["racing.enabled=false"])))
    raced = expected_work(resolve(load_config(experiment, overrides=["racing.min_prompts=2"])))
    assert raced[0].num_pictures < exhaustive[0].num_pictures
    assert raced[1] == exhaustive[1]


def test_time_is_work_times_pace() -> None:
    work = Work(num_rounds=2, num_pictures=100, num_training_steps=30)
    pace = Pace(seconds_per_picture=0.5, seconds_per_training_step=2.0, num_gpus=4)
    cost = CostEstimate(least=work, most=work, pace=pace)
    assert cost.seconds(work) == 110
    assert cost.gpu_hours(work) == pytest.approx(4 * 110 / 3600)


def test_a_warm_up_measures_and_writes_nothing(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    embedded, begin = list[Chunk](), CaptionsInMemory.begin

    def watched(captions: CaptionsInMemory, chunks: Sequence[Chunk], /) -> None:
        embedded.extend(chunks)
        begin(captions, chunks)

    monkeypatch.setattr(CaptionsInMemory, "begin", watched)
    cost = estimate_cost(resolve(load_config(experiment)))
    assert cost.pace.seconds_per_picture > 0
    assert cost.pace.seconds_per_training_step > 0
    assert cost.pace.num_gpus == 0
    assert list(tmp_path.iterdir()) == []
    assert [len(chunk) for chunk in embedded] == [2], "the first chunk, which is all that is drawn"


def test_a_warm_up_leaves_the_search_as_it_is(run: Path, experiment: Path, tmp_path: Path) -> None:
    told, done = list[CostEstimate](), list[int]()
    search(
        experiment,
        tmp_path / "estimated",
        on_estimate=told.append,
        on_progress=lambda progress: done.append(progress.num_training_steps),
    )
    assert comparable_trace(tmp_path / "estimated") == comparable_trace(run)
    assert len(told) == 1
    assert done == sorted(done)
    assert set(done) == {*range(1, done[-1] + 1)}, "each step is told when it is done"
    search(experiment, tmp_path / "estimated", on_estimate=told.append)
    assert len(told) == 1, "a search that goes on was estimated before"
