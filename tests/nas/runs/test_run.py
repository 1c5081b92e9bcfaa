"""A run as notebooks see it: finished, running, crashed, older, by another score; and reading never writes."""

import inspect
import json
import re
import shutil
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from nas.runs.directory import RunDirectory, RunDirectoryError
from nas.runs.frames.methods import FRAMES
from nas.runs.run import Run, open_run, open_runs
from nas.runs.spec import SpecError
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, ScoreStoreError, ScoreStoreWarning, digest_of_prompts
from tests.contents import content

OLD = Path(__file__).parent / "goldens" / "run_0_1_0"
PROMPTS = (Prompt(caption="a red ring", noise_seed=1), Prompt(caption="a blue cross", noise_seed=2))


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    """A finished run of version 0.1.0; no test may write to it by reading."""
    folder = Path(shutil.copytree(OLD, tmp_path / "old"))
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    (folder / "config.yaml").write_text(re.sub(r"\{(\w+)\}", r"/\1", config), encoding="utf-8")  # of another machine
    yield folder
    assert content(folder).keys() == content(OLD).keys()


def interval(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "num_prompts": 2, "confidence": 0.95}


def events(*, score: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A round of a search, its training included."""
    action = {"action": "-resnet[mid,0]", "d_clip": interval(0.1), "d_latency_ms": 0.5, "value": 0.2}
    started = {"target_latency_ms": 6.0, "base_latency_ms": 8.0, "base": {}, "digests": {"protocol": "p0"}}
    return [
        {"event": "search_started", **started, **({"score": score} if score else {})},
        {"event": "trained", "round": 0, "iterations": 0, "recovering": False, "weights_digest": "w0"},
        {"event": "evaluation", "round": 0, "action": None, "arch_id": "a0", "clip": interval(0.9)}
        | {"predicted_latency_ms": 8.0, "num_params": 100},
        {"event": "evaluation", "round": 0, "arch_id": "a1", "clip": interval(0.8)} | action,
    ]


def written(folder: Path, happened: list[dict[str, Any]], /) -> Path:
    """A run directory in which this happened so far."""
    folder.mkdir()
    (folder / "config.yaml").write_text("robust_training: {learning_rate: 1e-4}\n", encoding="utf-8")
    (folder / "trace.jsonl").write_text("".join(json.dumps(event) + "\n" for event in happened), encoding="utf-8")
    return folder


def keep(store: ScoreStore, arch_id: str, /, *, score: str, scores: list[float]) -> None:
    digest = digest_of_prompts(PROMPTS)
    key = ScoreKey(weights_digest="w0", arch_id=arch_id, protocol_digest="p0", prompts_digest=digest)
    store.put(key, prompts=PROMPTS, scores=scores, score=score)


def test_a_finished_run_of_an_older_version_tells_all(old: Path) -> None:
    run = open_run(old)
    assert run.is_finished
    assert repr(run) == f"<Run {str(old)!r}: finished, 5 rounds>"
    assert run.score == "clip"
    assert run.config["search"]["removals_per_round"] > 0
    assert run.architecture.arch_id == run.spec["arch_id"]
    found = run.rounds().set_index("arch_id").loc[run.architecture.arch_id]
    assert found["predicted_latency_ms"] == run.spec["predicted_latency_ms"]
    assert found["clip"] == run.spec["clip"]
    assert "<table" in run._repr_html_()


def test_one_merge_says_which_action_a_score_is_of(old: Path) -> None:
    run = open_run(old)
    scores, keys = run.scores(), ["arch_id", "weights_digest"]
    for frame, mean in ((run.rounds(), "clip"), (run.evaluations(), None)):
        merged = frame.merge(scores, on=keys, suffixes=("_mean", ""))
        assert len(merged) == frame["num_prompts"].sum(), "each prompt once"
        if mean is not None:
            assert merged.groupby("round")["clip"].mean().tolist() == pytest.approx(frame[mean].tolist())
            assert merged.groupby("round")["clip_mean"].first().tolist() == frame[mean].tolist()


@pytest.mark.parametrize("name", FRAMES)
def test_the_columns_are_those_that_are_written_down(name: str, old: Path) -> None:
    text = inspect.getdoc(getattr(Run, name))
    assert text
    columns = text.partition("Columns")[2].partition("\n\n")[0]
    assert list(getattr(open_run(old), name)()) == re.findall(r"^    (\w+): ", columns, re.MULTILINE)


def test_a_run_that_is_being_written_is_read_without_its_torn_last_line(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", events())
    with (folder / "trace.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "eval')
    keep(ScoreStore(folder / "scores"), "a0", score="clip", scores=[0.8, 1.0])
    before = content(folder)
    run = open_run(folder)
    assert not run.is_finished
    assert repr(run) == f"<Run {str(folder)!r}: interrupted, 1 rounds>"
    assert "the last line of trace.jsonl is torn and left out" in run.notices[0]
    assert run.rounds()["weights_digest"].tolist() == ["w0"]
    assert run.rounds()["actions"].tolist() == [""]
    assert run.scores()["clip"].tolist() == [0.8, 1.0]
    assert run.config == {"robust_training": {"learning_rate": 1e-4}}, "read by the rules of YAML 1.2"
    for found in ("architecture", "spec"):
        with pytest.raises(SpecError, match=r"there is no spec .*; a finished search writes it"):
            getattr(run, found)
    assert content(folder) == before


def test_a_run_that_was_killed_at_its_birth_is_empty_and_has_its_columns(tmp_path: Path, old: Path) -> None:
    folder = written(tmp_path / "run", [])
    (folder / "trace.jsonl").unlink()
    (folder / "trace.jsonl").mkdir()
    assert "trace.jsonl cannot be read: " in open_run(folder).notices[0], "a folder is not a missing file"
    (folder / "trace.jsonl").rmdir()
    run, other = open_run(folder), open_run(old)
    assert not run.is_finished
    assert "there is no trace.jsonl yet" in run.notices[0]
    for name in FRAMES:
        frame = getattr(run, name)()
        assert frame.empty
        assert list(frame) == list(getattr(other, name)())
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("damage", ["{", "[]", '{"event": "trained", "round": "one"}'])
def test_a_damaged_trace_is_shown_as_far_as_it_goes(damage: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "run", events())
    lines = (folder / "trace.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "trace.jsonl").write_text("\n".join([*lines[:3], damage, *lines[3:]]) + "\n", encoding="utf-8")
    run = open_run(folder)
    assert len(run.rounds()) == 1
    assert run.evaluations().empty
    assert re.match(r"line 4 of trace\.jsonl is .*: it and the 1 lines after it are left out", run.notices[0])


def test_frames_call_another_score_by_its_name(tmp_path: Path) -> None:
    score = {"name": "colour_share", "unit": "share", "higher_is_better": True}
    folder = written(tmp_path / "run", events(score=score))
    keep(ScoreStore(folder / "scores"), "a1", score="colour_share", scores=[0.5, 0.25])
    run = open_run(folder)
    assert run.score == "colour_share"
    assert run.rounds()["colour_share_low"].tolist() == [0.8]
    assert run.evaluations()["d_colour_share"].tolist() == [0.1]
    assert run.scores()["colour_share"].tolist() == [0.5, 0.25]
    assert not {name for name in (*run.rounds(), *run.evaluations(), *run.scores()) if "clip" in name}


def test_weights_of_several_trainings_in_a_round_are_not_guessed(tmp_path: Path) -> None:
    several = [events()[1] | {"weights_digest": name, "job": job} for job, name in enumerate("xy")]
    happened = events()
    run = open_run(written(tmp_path / "run", [happened[0], *several, *happened[2:]]))
    assert run.rounds()["weights_digest"].tolist() == run.evaluations()["weights_digest"].tolist() == [None]


def test_scores_that_lie_in_a_shared_store_are_asked_for_there(tmp_path: Path) -> None:
    run = open_run(written(tmp_path / "run", events()))
    with pytest.raises(ScoreStoreError, match=r"there is no score store .*/run/scores; .*unless `score_store` named"):
        run.scores()
    keep(ScoreStore(tmp_path / "shared"), "a0", score="clip", scores=[0.8, 1.0])
    assert run.scores(store=str(tmp_path / "shared"))["clip"].tolist() == [0.8, 1.0]


def test_damaged_scores_are_left_out_loudly_and_left_where_they_are(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", events())
    keep(ScoreStore(folder / "scores"), "a0", score="clip", scores=[0.8, 1.0])
    (path,) = folder.rglob("scores.jsonl")
    path.write_bytes(b"rotten\n")
    before = content(folder)
    with pytest.warns(ScoreStoreWarning, match=r"is damaged \(.*\): left out"):
        assert open_run(folder).scores().empty
    assert content(folder) == before


def test_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"is not a run directory: it has no config\.yaml"):
        open_run(tmp_path)
    with pytest.raises(RunDirectoryError, match=r"there is no run .*; give the directory that a search was told"):
        open_run(tmp_path / "none")


def test_a_run_is_running_while_a_living_process_holds_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", events())
    directory = RunDirectory(folder)
    with directory.opened({"robust_training": {"learning_rate": 1e-4}}):
        run = open_run(folder)
        assert run.state == "running"
        assert "the run is being written: this is how far it has come" in run.notices
    assert run.state == "running", "as it was when it was looked at"
    again = open_run(folder)
    assert again.state == "interrupted"
    assert "the search was interrupted; its own command continues it" in again.notices


def test_several_runs_stand_below_each_other_and_are_told_apart(old: Path, tmp_path: Path) -> None:
    new, other = written(tmp_path / "new", events()), tmp_path / "elsewhere" / "old"
    shutil.copytree(new, other)
    runs = open_runs([old, other, str(new)])
    assert [run.path for run in runs] == [old, other, new]
    names = runs.names
    assert names[1:] == ("elsewhere/old", f"{tmp_path.name}/new")
    assert runs[names[1]].path == other
    for name in FRAMES:
        if name != "scores":
            frame = getattr(runs, name)()
            assert list(frame) == ["run", *getattr(open_run(old), name)()]
    assert runs.rounds().groupby("run", sort=False).size().to_dict() == dict(zip(names, (5, 1, 1), strict=True))
    assert open_runs([]).rounds().empty
    assert open_runs([old, old]).names == ("old", "old (2)")


@pytest.mark.parametrize("text", ["", "5", "[1]", "a: [", "\ufeff{"])
def test_damaged_settings_are_said_and_cost_no_more(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path / "run", events())
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    run = open_run(folder)
    assert run.config == {}
    assert any(notice.startswith("its settings cannot be read: ") for notice in run.notices)
    assert len(run.rounds()) == 1


@pytest.mark.parametrize(
    "clock", [{"time": 1e300}, {"time": "noon"}, {"time": True}, {"seconds": "x"}, {"losses": 5}, {}]
)
def test_a_clock_that_says_nothing_sensible_is_not_heard(tmp_path: Path, clock: dict[str, Any]) -> None:
    happened = [event | {"runtime": clock} for event in events()]
    run = open_run(written(tmp_path / "run", happened))
    assert (run.last_time, run.hours, len(run.training())) == (None, 0, 0)


def test_a_value_of_an_action_that_saves_nothing_is_none(tmp_path: Path) -> None:
    happened = events()
    happened[3] |= {"d_latency_ms": 0.0, "value": 0.2}  # as no search writes it
    rival = happened[3] | {"action": "-resnet[mid,1]", "d_latency_ms": 1.0}
    decided = {"event": "decision", "round": 0, "actions": ["-resnet[mid,0]"], "stop": None}
    row = open_run(written(tmp_path / "run", [*happened, rival, decided])).decisions().iloc[0]
    assert (row["action"], row["runner_up"]) == ("-resnet[mid,0]", None)
    assert isnan(row["value"])
