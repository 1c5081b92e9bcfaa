"""What an export is made of: a finished run that says what is so, or a spec of this base model."""

import json
import shutil
from pathlib import Path

import pytest

from nas.config.loading import load_config
from nas.export.source import ExportError, source_of_run, source_of_spec
from nas.pipelines.model_folder import ModelFolder
from nas.runs.checkpoints.weights import CheckpointWarning
from nas.runs.directory import RunDirectory
from search_spaces.files.user_error import UserError
from tests.nas.export.exporting import export_run
from tests.nas.searching import read_json


def test_a_base_model_that_changed_since_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    spec = read_json(other / "architecture.json")
    spec["digests"]["model"] = "0" * 16
    (other / "architecture.json").write_text(json.dumps(spec))
    with pytest.raises(ExportError, match="model has changed since the search"):
        export_run(other, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_run_says_of_itself_must_be_so(run: Path, tmp_path: Path) -> None:
    """Weights of another round under this round's name, and costs that the architecture does not have."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    spec = read_json(copy / "architecture.json")
    for change, law in [
        ({"num_params": spec["num_params"] + 1}, "must say what its architecture costs, but has `num_params`"),
        ({"predicted_latency_ms": 1.0}, "must say what its architecture costs, but has `predicted_latency_ms` 1.0"),
        ({"digests": spec["digests"] | {"weights": "0" * 16}}, "must hold the weights 0000000000000000, but holds"),
    ]:
        (copy / "architecture.json").write_text(json.dumps(spec | change))
        with pytest.raises(ValueError, match=law):
            source_of_run(copy)
    (copy / "architecture.json").write_text(json.dumps(spec))
    checkpoints = copy / "checkpoints"
    other = next(path for path in checkpoints.iterdir() if path.name != f"round-{spec['round']:03d}")
    shutil.copy(other / "weights.json", checkpoints / f"round-{spec['round']:03d}")
    with (
        pytest.warns(CheckpointWarning, match="is not what was written"),
        pytest.raises(UserError, match="missing"),
    ):
        source_of_run(copy)


def test_an_unfinished_run_has_nothing_to_export(experiment: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with run.opened(load_config(experiment).plain()):
        pass
    with pytest.raises(ValueError, match=r"there is no spec .*architecture\.json; a finished search writes it"):
        export_run(run.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("ssd-1b", "ssd-1b is an architecture of sdxl, but the base model is sd1"),
        (
            "nobody",
            "there is no architecture nobody; give a run, a spec, a folder with a UNet, or a known name: ",
        ),
    ],
)
def test_an_architecture_of_another_base_model_is_refused(reference: str, message: str, sd1: Path) -> None:
    with pytest.raises(ValueError, match=message):
        source_of_spec(reference, model=ModelFolder(sd1))


def test_a_spec_of_another_base_model_is_refused(sd1: Path, tmp_path: Path) -> None:
    source = source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(source.spec | {"base": source.spec["base"] | {"num_params": 7, "model": "other"}}))
    with pytest.raises(ValueError, match=r"about the base model sd1, but is about 'other'.*`num_params` 7"):
        source_of_spec(str(path), model=ModelFolder(sd1))
