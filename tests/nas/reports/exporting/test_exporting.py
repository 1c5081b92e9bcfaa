"""What a run holds in others' formats: read back by their own libraries."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from nas.reports.exporting.forms import ExportForm
from nas.reports.exporting.optuna import counts
from nas.reports.exporting.writing import write_frames
from nas.runs.frames.methods import FRAMES
from nas.runs.run import Run, open_run
from search_spaces.files.durable.places import PlaceError
from search_spaces.files.user_error import UserError


@pytest.fixture
def opened(run: Path) -> Iterator[Run]:
    before = set(run.rglob("*"))
    yield open_run(run)
    assert set(run.rglob("*")) == before, "nothing is written to a run"


def test_tables_are_read_as_they_were(opened: Run, tmp_path: Path) -> None:
    for form, read in ((ExportForm.CSV, pd.read_csv), (ExportForm.PARQUET, pd.read_parquet)):
        written = dict(write_frames(opened, tmp_path / form, form=form))
        assert [path.stem for path in written] == list(FRAMES)
        for path in written:
            frame, again = getattr(opened, path.stem)(), read(path)
            assert len(again) == len(frame)
            if path.stem != "pictures":
                assert list(again) == list(frame)
        assert read(tmp_path / form / f"scores.{form}")["clip"].tolist() == opened.scores()["clip"].tolist()
    pictures = pd.read_csv(tmp_path / "csv" / "pictures.csv")
    pngs = [(tmp_path / "csv" / file).read_bytes() for file in pictures["file"]]
    assert pngs == opened.pictures()["png"].tolist()
    assert pd.read_parquet(tmp_path / "parquet" / "pictures.parquet")["png"].tolist() == pngs


def test_a_run_whose_scores_lie_elsewhere_gives_the_other_tables(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("{}\n", encoding="utf-8")
    event = {"event": "trained", "round": 0, "iterations": 0, "recovering": False, "weights_digest": "w"}
    (tmp_path / "run" / "trace.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    told = list(write_frames(open_run(tmp_path / "run"), tmp_path / "out", form=ExportForm.CSV))
    assert [what for _, what in told if what.startswith("no scores: there is no score store")]
    assert len(told) == len(FRAMES)


def test_the_timeline_has_a_slice_for_each_piece_of_work(opened: Run, tmp_path: Path) -> None:
    ((path, _),) = write_frames(opened, tmp_path, form=ExportForm.TRACE_EVENTS)
    events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    slices, timings = [event for event in events if event["ph"] == "X"], opened.timings()
    assert len(slices) == len(timings)
    assert min(event["ts"] for event in slices) == 0
    assert sum(event["dur"] for event in slices) == pytest.approx(1e6 * timings["seconds"].sum(), abs=len(slices))
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert set(names.values()) == set(timings["worker"])
    assert {event["name"] for event in slices if event["cat"] == "scoring"} >= set(timings["action"].dropna())


def test_tensorboard_reads_its_events(opened: Run, tmp_path: Path) -> None:
    accumulating = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    list(write_frames(opened, tmp_path, form=ExportForm.TENSORBOARD))
    read = accumulating.EventAccumulator(str(tmp_path), size_guidance={"images": 0, "scalars": 0})
    read.Reload()
    rounds, training = opened.rounds(), opened.training()
    latency = read.Scalars("round/predicted_latency_ms")
    assert [point.step for point in latency] == rounds["round"].tolist()
    assert [point.value for point in latency] == pytest.approx(rounds["predicted_latency_ms"].tolist())
    assert [point.value for point in read.Scalars("training/loss")] == pytest.approx(training["loss"].tolist())
    own = opened.pictures(actions=[None])
    images = [read.Images(tag) for tag in read.Tags()["images"]]
    assert {image.encoded_image_string for tag in images for image in tag} == set(own["png"])


def test_mlflow_reads_its_run(opened: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nothing is sent there
    for _ in range(2):
        ((path, _),) = write_frames(opened, tmp_path, form=ExportForm.MLFLOW)
    client = MlflowClient(tracking_uri=f"sqlite:///{path}", registry_uri=f"sqlite:///{path}")
    (experiment,) = (e for e in client.search_experiments() if e.name == "snapfusion-nas")
    first, second = client.search_runs([experiment.experiment_id])
    assert first.info.status == second.info.status == "FINISHED"
    history = client.get_metric_history(first.info.run_id, "predicted_latency_ms")
    assert {m.step: m.value for m in history} == dict(
        zip(opened.rounds()["round"], opened.rounds()["predicted_latency_ms"], strict=True)
    )
    assert first.data.params["search.target_ratio"] == str(opened.config["search"]["target_ratio"])
    assert {file.path for file in client.list_artifacts(first.info.run_id)} >= {"config.yaml", "images"}


def test_optuna_reads_its_journal(opened: Run, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    ((path, _),) = write_frames(opened, tmp_path, form=ExportForm.OPTUNA)
    (study,) = (optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(path)))),)
    rounds, scored = opened.rounds(), opened.evaluations()
    assert len(study.trials) == len(rounds) + len(scored)
    own = [trial for trial in study.trials if not trial.user_attrs["action"]]
    assert [trial.values for trial in own] == rounds[["predicted_latency_ms", "clip"]].to_numpy().tolist()
    assert {trial.user_attrs["arch_id"] for trial in study.trials} == {*rounds["arch_id"], *scored["arch_id"]}
    (found,) = (t for t in own if t.user_attrs["arch_id"] == opened.architecture.arch_id)
    assert found.params == counts(opened.architecture)
    with pytest.raises(UserError, match=r"journal\.log is there already, and a journal only grows"):
        list(write_frames(opened, tmp_path, form=ExportForm.OPTUNA))


def test_the_command_says_what_it_wrote(opened: Run, tmp_path: Path) -> None:
    arguments = ["frames", str(opened.path), "--out", str(tmp_path / "out"), "--format", "trace-events"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "timeline.json" in result.stdout
    assert CliRunner().invoke(app, ["frames", str(tmp_path), "--out", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize(
    ("form", "name"), [("csv", "rounds.csv"), ("parquet", "scores.parquet"), ("trace-events", "timeline.json")]
)
def test_what_is_somebody_elses_is_left_alone(opened: Run, tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / name).write_text('{"mine": 1}\n', encoding="utf-8")
    with pytest.raises(PlaceError, match=f"{name} is to become .*, but a file that is none stands there"):
        list(write_frames(opened, tmp_path, form=ExportForm(form)))
    assert (tmp_path / name).read_text(encoding="utf-8") == '{"mine": 1}\n'
    (tmp_path / name).unlink()
    for _ in range(2):
        list(write_frames(opened, tmp_path, form=ExportForm(form)))
    assert (tmp_path / name).stat().st_size > 20, "its own are replaced"


@pytest.mark.parametrize("form", ["optuna", "tensorboard", "mlflow"])
def test_what_is_damaged_in_a_run_is_left_out(run: Path, tmp_path: Path, form: str) -> None:
    for extra in {"optuna": ["optuna"], "tensorboard": ["tensorboard"], "mlflow": ["mlflow"]}[form]:
        pytest.importorskip(extra)
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    (copy / "config.yaml").write_text('"<b>$": 1\n', encoding="utf-8")
    lines = [json.loads(line) for line in (copy / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    own = [line for line in lines if line["event"] == "evaluation" and line["action"] is None]
    own[0]["stages"] = ["-"]
    own[1]["predicted_latency_ms"] = float("nan")
    (copy / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    told = list(write_frames(open_run(copy), tmp_path / "out", form=ExportForm(form)))
    assert all(path.exists() for path, _ in told)
