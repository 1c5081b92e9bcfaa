"""Exports: they load without us where they can, are checked before they stand, and never replace what is not theirs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

import nas.export
from nas.algorithms.evolving import StopReason
from nas.config import ExperimentConfig, load_config
from nas.export import ExportError, ExportReport, export_run
from nas.generate import generate_pictures
from nas.pipeline_folder import folder_digest, load_pipeline
from nas.run import RunDirectory
from nas.scores import mean_interval
from nas.spec import FoundArchitecture, read_spec, write_spec
from nas.verify_export import verify
from search_spaces import Action
from search_spaces.loading import load_unet
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.supernet import CopyStart, Supernet
from tests.nas.searching import read_json
from tests.nas.synthetic import shapes_space

SPACE = shapes_space()
PROMPTS = ["a red circle", "a small green ring"]
SAME_PICTURE = 2e-2  # of 1: pictures are rounded to 8 bits on the way

LOADED_BY_A_STRANGER = """
import json, sys
import search_spaces.searched_unet
import numpy as np, torch
from diffusers import StableDiffusionPipeline
assert "nas" not in sys.modules
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], safety_checker=None, requires_safety_checker=False)
generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
images = pipeline(json.loads(sys.argv[2]), num_inference_steps=2, guidance_scale=2.0, generator=generators,
                  output_type="np").images
np.save(sys.argv[3], images)
print(json.dumps({"class": type(pipeline.unet).__name__, "num_params": pipeline.unet.num_parameters()}))
"""


@pytest.fixture(scope="module")
def export(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    out = tmp_path_factory.mktemp("exports") / "found"
    return out, export_run(run, out=out)


@pytest.fixture
def checked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same check without a process of its own, which takes its time to import torch."""
    monkeypatch.setattr(nas.export, "_verify", lambda folder, *, base: verify(folder, base))


def found_unet(run: Path) -> UNet2DConditionModel:
    """The UNet that the run found, from its checkpoint through the supernet."""
    architecture, spec = read_spec(run / "architecture.json")
    supernet = Supernet(load_unet(PIPELINE_DIR), space=SPACE)
    weights = RunDirectory(run).read_weights(spec["round"])
    assert weights is not None
    supernet.load_weights(weights)
    return supernet.materialise(architecture)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_compares_prediction_and_measurement(run: Path, export: tuple[Path, ExportReport]) -> None:
    out, report = export
    assert report.form == "SearchedUNet"
    assert 0 <= report.max_difference <= 1e-5
    assert report.base_latency_ms > 0
    assert report.latency_ms > 0
    assert [len(row) for row in report.rows()] == [3] * 6
    assert read_json(out / "export.json")["max_difference"] == report.max_difference
    assert (out / "architecture.json").read_bytes() == (run / "architecture.json").read_bytes()
    assert (run / "before_after.png").is_file()
    assert not list(out.parent.glob("*.part")), "what was written beside has been moved"
    assert not (out / nas.export.PROBE).exists()


def test_a_clean_process_loads_it_with_diffusers_alone(
    run: Path, export: tuple[Path, ExportReport], tmp_path: Path
) -> None:
    arguments = [str(export[0]), json.dumps(PROMPTS), str(tmp_path / "pictures.npy")]
    command = [sys.executable, "-c", LOADED_BY_A_STRANGER, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"class": "SearchedUNet", "num_params": read_json(run / "architecture.json")["num_params"]}

    pipeline = load_pipeline(PIPELINE_DIR)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet = found_unet(run)
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    ours = pipeline(PROMPTS, num_inference_steps=2, guidance_scale=2.0, generator=generators, output_type="np").images
    assert np.abs(np.load(tmp_path / "pictures.npy") - ours).max() < SAME_PICTURE


def test_pictures_come_out_of_an_export(export: tuple[Path, ExportReport]) -> None:
    pictures = generate_pictures(export[0], prompts=PROMPTS, seed=3, num_steps=2, guidance_scale=2.0)
    assert pictures.shape == (2, 48, 48, 3)
    assert pictures.dtype == np.uint8
    alone = generate_pictures(export[0], prompts=PROMPTS[1:], seed=4, num_steps=2, guidance_scale=2.0)
    assert np.abs(pictures[1].astype(float) - alone[0]).max() <= 255 * SAME_PICTURE, "picture i is drawn by seed + i"


@pytest.mark.usefixtures("checked_here")
def test_an_export_replaces_an_earlier_one_of_the_same_architecture(
    run: Path, export: tuple[Path, ExportReport]
) -> None:
    out, report = export
    (out / "unet" / "config.json").write_text("{}")
    again = export_run(run, out=out)
    assert (again.form, again.max_difference) == (report.form, report.max_difference)
    assert read_json(out / "unet" / "config.json")["_class_name"] == "SearchedUNet"


@pytest.mark.parametrize("name", ["thesis.tex", "architecture.json"])
def test_a_foreign_folder_is_refused_and_left_alone(run: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "taken"
    out.mkdir()
    (out / name).write_text(json.dumps(SPACE.base.to_dict()))
    before = content(tmp_path)
    with pytest.raises(ExportError, match="taken exists and is not an export of this architecture; give another --out"):
        export_run(run, out=out)
    assert content(tmp_path) == before


def test_a_base_model_that_changed_since_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    spec = read_json(other / "architecture.json")
    spec["digests"]["model"] = "0" * 16
    (other / "architecture.json").write_text(json.dumps(spec))
    with pytest.raises(ExportError, match="pipeline has changed since the search"):
        export_run(other, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def tampered(name: str) -> Callable[..., dict[str, float]]:
    """The check of a folder one weight of which has changed since it was written."""

    def check(folder: Path, *, base: Path) -> dict[str, float]:
        path = folder / "unet" / "diffusion_pytorch_model.safetensors"
        weights = load_file(path)
        weights[name][0] += 0.5
        save_file(weights, path, metadata={"format": "pt"})
        return verify(folder, base)

    return check


def test_a_changed_weight_fails_the_check_and_the_old_export_stays(
    run: Path, export: tuple[Path, ExportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = export
    before = content(out)
    monkeypatch.setattr(nas.export, "_verify", tampered("conv_out.bias"))
    with pytest.raises(ExportError, match=r"differs from the supernet by .*, more than 1e-05; nothing was written to"):
        export_run(run, out=out)
    assert content(out) == before


def test_an_export_that_does_not_load_fails_and_the_old_one_stays(
    run: Path, export: tuple[Path, ExportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = export
    before = content(out)

    def broken(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="OSError: no such weight")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", broken)
        with pytest.raises(ExportError, match=r"does not load in a clean process:\nOSError: no such weight"):
            export_run(run, out=out)
    assert content(out) == before


def test_an_unfinished_run_has_nothing_to_export(experiment: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with run.opened(load_config(experiment).identity()):
        pass
    with pytest.raises(ValueError, match=r"there is no spec .*architecture\.json; a finished search writes it"):
        export_run(run.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("checked_here")
def test_a_found_architecture_that_is_a_stock_config_needs_no_import(experiment: Path, tmp_path: Path) -> None:
    """Copies of cross-attentions are what stock diffusers can spell."""
    actions = (Action.parse("+cross_attention[up.3,1]"), Action.parse("+cross_attention[up.1,0]"))
    architecture = actions[1].apply(actions[0].apply(SPACE.base))
    config: ExperimentConfig = load_config(experiment)
    supernet = Supernet(load_unet(PIPELINE_DIR), space=SPACE, copy_start=CopyStart.SAME)
    supernet.switch(architecture)
    run = RunDirectory(tmp_path / "run")
    with run.opened(config.identity()):
        run.write_checkpoint(0, architecture=architecture, weights=supernet.weights())
        found = FoundArchitecture(
            architecture=architecture,
            round=0,
            stop=StopReason.CONVERGED,
            target_met=True,
            actions=actions,
            base_latency_ms=8.0,
            predicted_latency_ms=9.0,
            target_latency_ms=10.0,
            base_clip=mean_interval([0.8, 0.9]),
            clip=mean_interval([0.7, 0.9]),
            digests={"model": folder_digest(config.model)},
        )
        write_spec(run.spec_path, found, space=SPACE, model=config.model)
    report = export_run(run.path, out=tmp_path / "out")
    assert report.form == "stock config"
    assert read_json(tmp_path / "out" / "model_index.json")["unet"] == ["diffusers", "UNet2DConditionModel"]
    stock = UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    assert stock.num_parameters() == SPACE.num_params(architecture)
