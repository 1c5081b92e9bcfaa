"""Searches that are asked for more after their end, and searches that share a store of scores."""

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import nas.config.resolving
import nas.search.staff
import nas.workers.pool
from latency import write_table
from nas.config.digests import result_digests
from nas.config.extension import ChangedConfigError
from nas.config.loading import load_config
from nas.runs.spec import read_spec
from nas.runs.trace import TraceError, read_trace
from nas.scores.store import ScoreStore
from nas.workers.worker import EvaluationResult, EvaluationTask
from tests.nas.searching import IdlePool, comparable_trace, exit_code, same_result, search, search_until_training
from tests.nas.synthetic import small_space, synthetic_table, write_experiment

FIRST, THEN = "search.target_ratio=0.96", "search.target_ratio=0.94"


@pytest.fixture(scope="module")
def first(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that met its target."""
    out = tmp_path_factory.mktemp("first") / "run"
    search(experiment, out, overrides=[FIRST])
    return out


@pytest.fixture(scope="module")
def extended(first: Path, experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, with a tighter target met as well."""
    out = shutil.copytree(first, tmp_path_factory.mktemp("extended") / "run")
    search(experiment, out, overrides=[THEN])
    return out


def test_a_tighter_target_goes_on_from_where_the_run_ended(first: Path, extended: Path, experiment: Path) -> None:
    short, long = comparable_trace(first), comparable_trace(extended)
    assert long[: len(short)] == short
    assert long[len(short)]["event"] == "search_extended"
    assert long[-1]["event"] == "search_finished"
    found, then = read_spec(first / "architecture.json")[1], read_spec(extended / "architecture.json")[1]
    assert then["actions"][: len(found["actions"])] == found["actions"]
    assert then["predicted_latency_ms"] <= then["target_latency_ms"] < found["target_latency_ms"]
    config = load_config(experiment, overrides=[THEN])
    assert (extended / "config.yaml").read_text() != (first / "config.yaml").read_text()
    assert (extended / "earlier" / "config-000.yaml").read_text() == (first / "config.yaml").read_text()
    assert then["target_latency_ms"] == pytest.approx(0.94 * then["base_latency_ms"])
    assert config.search.target_ratio == 0.94


def test_an_extension_that_was_killed_ends_the_same(extended: Path, experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    assert exit_code(search_until_training, experiment, out, 1, overrides=[FIRST]) == -signal.SIGKILL
    last = max(event.get("round", 0) for event in read_trace(extended / "trace.jsonl"))
    assert exit_code(search_until_training, experiment, out, last, overrides=[THEN]) == -signal.SIGKILL
    search(experiment, out, overrides=[THEN])
    same_result(extended, out)


def test_going_back_is_refused_and_changes_nothing(extended: Path, experiment: Path) -> None:
    before = {path: path.read_bytes() for path in extended.rglob("*") if path.is_file()}
    for override in (FIRST, "seed=1"):
        with pytest.raises(ChangedConfigError, match="the run has another config"):
            search(experiment, extended, overrides=[override])
    assert {path: path.read_bytes() for path in extended.rglob("*") if path.is_file()} == before


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[EvaluationTask]:
    """Every task that pools in this process were given."""
    tasks: list[EvaluationTask] = []
    evaluate = nas.workers.pool.InProcessPool.evaluate

    def counted(
        pool: nas.workers.pool.InProcessPool, wanted: Sequence[EvaluationTask], /
    ) -> Iterator[EvaluationResult]:
        tasks.extend(wanted)
        return evaluate(pool, wanted)

    monkeypatch.setattr(nas.workers.pool.InProcessPool, "evaluate", counted)
    return tasks


def test_a_second_run_of_the_same_search_makes_no_picture(
    run: Path, experiment: Path, tmp_path: Path, made: list[EvaluationTask]
) -> None:
    shutil.copytree(run / "scores", tmp_path / "store")
    search(experiment, tmp_path / "two", overrides=[f"score_store={tmp_path / 'store'}"])
    assert made == []
    same_result(run, tmp_path / "two")
    assert not (tmp_path / "two" / "scores").exists()


def test_a_search_for_another_device_finds_the_scores_of_the_first(tmp_path: Path, made: list[EvaluationTask]) -> None:
    """On the second device every block takes twice as long, so that the search meets the same architectures."""
    path, slower = write_experiment(tmp_path), tmp_path / "slower.json"
    table = synthetic_table(small_space())
    times = ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms")
    rows = (replace(row, **{name: 2 * getattr(row, name) for name in times}) for row in table.rows)
    write_table(replace(table, rows=tuple(rows)), slower)
    store = f"score_store={tmp_path / 'store'}"
    one = search(path, tmp_path / "one", overrides=[store])
    assert made
    assert not (tmp_path / "one" / "scores").exists()
    made.clear()
    embedded = sorted((tmp_path / "store" / "embedded").rglob("*"))
    assert [path.suffix for path in embedded] == ["", *[".safetensors"] * 3], "two chunks and the empty caption"
    two = search(path, tmp_path / "two", overrides=[store, f"latency_table={slower}"])
    assert made == []
    assert sorted((tmp_path / "store" / "embedded").rglob("*")) == embedded
    assert not (tmp_path / "two" / "embedded").exists()
    assert not ScoreStore(tmp_path / "store").frame().empty, "what lies beside the scores is none"
    assert two.architecture == one.architecture
    assert two.predicted_latency_ms == pytest.approx(2 * one.predicted_latency_ms)


@pytest.mark.parametrize("spoil", [Path.touch, lambda path: path.symlink_to("nowhere")], ids=["file", "link"])
def test_what_stands_in_the_place_of_embedded_captions_hinders_no_search(
    spoil: Callable[[Path], None],
    first: Path,
    extended: Path,
    experiment: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = shutil.copytree(first, tmp_path / "run")
    shutil.rmtree(run / "embedded")
    spoil(run / "embedded")
    search(experiment, run, overrides=[THEN])
    same_result(extended, run)
    assert "keeps all captions in its own memory" in caplog.text


def test_a_run_whose_digests_cover_whole_folders_goes_on(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As 0.1.0 began them; the slow part is the search that stands for one of its."""
    folder = Path(shutil.copytree(experiment.parent / "model", tmp_path / "model"))
    (folder / "README.md").write_text("a note")
    overrides = [FIRST, f"model={folder}"]
    with monkeypatch.context() as patch:
        patch.setattr(nas.config.resolving, "result_digests", partial(result_digests, whole_folders=True))
        search(experiment, tmp_path / "run", overrides=overrides)
    trace = (tmp_path / "run" / "trace.jsonl").read_bytes()
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    search(experiment, tmp_path / "run", overrides=overrides)
    assert (tmp_path / "run" / "trace.jsonl").read_bytes() == trace
    (folder / "README.md").write_text("another note")
    with pytest.raises(TraceError, match=r"model, table, library or .* changed since"):
        search(experiment, tmp_path / "run", overrides=overrides)
