"""Searches that train once and score batches: from the command's config to a run, killed or not, told sensibly."""

import signal
from pathlib import Path
from typing import Any

import pytest

from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.export.export_run import place_in_run
from nas.export.form import ExportForm as Form
from nas.export.source import source_of_run
from nas.reports.exporting.forms import ExportForm
from nas.reports.exporting.writing import write_frames
from nas.reports.limits import limit_sentences
from nas.runs.run import Run, open_run
from nas.search.estimate import expected_work
from tests.nas.searching import comparable_trace, exit_code, read_json, same_result, search, search_until_killed
from tests.nas.spread import spread
from tests.nas.synthetic import small_config, write_experiment

SETTINGS = {
    "local_search": {"num_evaluations": 6, "batch_size": 2},
    "knapsack": {"num_evaluations": 3, "num_checks": 2},
    "optuna_search": {"num_evaluations": 8, "batch_size": 4, "num_startup": 4, "objective": "front"},
}


def config(folder: Path, algorithm: str) -> Path:
    settings: dict[str, Any] = small_config()
    settings["robust_training"] = {}
    settings["search"] = {
        "algorithm": algorithm,
        "settings": SETTINGS[algorithm],
        "target_ratio": 0.94,
        "protected": settings["search"]["protected"],
    }
    return write_experiment(folder, settings)


@pytest.fixture(scope="module", params=SETTINGS)
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    search(config(folder, request.param), folder / "run")
    return folder


def scored(run: Run) -> dict[str, tuple[int, float, float]]:
    """Round, latency and score of everything that was scored, as a whole or by an action of the start."""
    found = {
        row["arch_id"]: (row["round"], row["predicted_latency_ms"], row["clip"])
        for row in run.architectures().to_dict("records")
    }
    base_ms = run.start["base_latency_ms"]
    for event in run.events:
        if event["event"] == "evaluation" and event["action"] is not None:
            found[event["arch_id"]] = (event["round"], base_ms - event["d_latency_ms"], event["clip"]["mean"])
    return found


def test_it_finds_the_best_that_it_scored_within_the_limit(searched: Path) -> None:
    run = open_run(searched / "run")
    known = scored(run)
    meeting = {arch_id: clip for arch_id, (_, ms, clip) in known.items() if ms <= run.start["target_latency_ms"]}
    assert run.spec["target_met"]
    assert meeting[run.spec["arch_id"]] == max(meeting.values())


def test_a_round_is_a_batch_whose_own_architecture_is_the_best_before_it(searched: Path) -> None:
    run = open_run(searched / "run")
    rounds, known, target_ms = run.rounds(), scored(run), run.start["target_latency_ms"]
    assert list(rounds["round"]) == list(range(len(rounds)))
    for row in rounds[1:].to_dict("records"):
        if before := [clip for number, ms, clip in known.values() if number < row["round"] and ms <= target_ms]:
            assert row["clip"] == max(before)
    notes = [event["notes"] for event in run.events if event["event"] == "decision" and "notes" in event]
    assert notes[-1]["num_scored"] == len(known) - 1


@pytest.mark.filterwarnings("ignore::search_spaces.files.durable.parts.LeftoverWarning")
def test_killed_and_resumed_it_is_what_it_would_have_been(searched: Path, tmp_path: Path) -> None:
    (path,) = searched.glob("*.yaml")
    assert exit_code(search_until_killed, path, tmp_path / "run", 25) == -signal.SIGKILL
    search(path, tmp_path / "run")
    same_result(searched / "run", tmp_path / "run")


@pytest.mark.parametrize("searched", ["optuna_search"], indirect=True)
def test_three_workers_find_what_one_does(searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spread(monkeypatch)
    (path,) = searched.glob("*.yaml")
    search(path, tmp_path / "run", num_workers=3)
    same_result(searched / "run", tmp_path / "run")


@pytest.mark.parametrize("searched", ["optuna_search"], indirect=True)
def test_a_front_has_a_spec_for_each_of_its_points_which_exports(searched: Path) -> None:
    run = open_run(searched / "run")
    points: Any = run.events[-1].get("results")
    paths = sorted((searched / "run" / "architectures").glob("*.json"))
    assert len(points) > 1
    known = scored(run)
    best_first = [(point["score"], point["latency_ms"]) for point in points]
    assert best_first == sorted(best_first, reverse=True)
    assert all(ms <= run.start["target_latency_ms"] for _, ms in best_first)
    for point in points[1:]:
        assert known[point["arch_id"]][1:] == pytest.approx((point["latency_ms"], point["score"]))
    assert {read_json(path)["arch_id"] for path in paths} == {point["arch_id"] for point in points[1:]}
    assert "on the front: " in " ".join(limit_sentences(run.events))
    for path in paths:
        assert source_of_run(path).architecture.arch_id == read_json(path)["arch_id"]
        assert place_in_run(path, Form.DIFFUSERS) == searched / "run" / f"export-{path.stem}"


def test_what_it_will_cost_is_known_beforehand(searched: Path) -> None:
    (path,) = searched.glob("*.yaml")
    least, most = expected_work(resolve(load_config(path)))
    events = comparable_trace(searched / "run")
    assert least == most
    assert most.num_pictures == 3 * len(scored(open_run(searched / "run")))
    assert most.num_rounds >= sum(event["event"] == "trained" for event in events), "a batch need not be full"


def test_optuna_has_a_trial_for_each_architecture_and_its_distance_to_the_limit(searched: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    run = open_run(searched / "run")
    ((path, _),) = write_frames(run, tmp_path, form=ExportForm.OPTUNA)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    trials = optuna.load_study(study_name=None, storage=storage).trials
    assert [trial.user_attrs["arch_id"] for trial in trials] == list(
        dict.fromkeys(event["arch_id"] for event in run.events if event["event"] == "evaluation")
    )
    for trial in trials:
        assert trial.constraints["latency_ms"] == pytest.approx(trial.values[0] - run.start["target_latency_ms"])
