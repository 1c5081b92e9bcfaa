"""Every form of an export gives its architecture back: stock configs, neutral blocks, ONNX, half precision, a spec."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import nas.export.verify
import nas.export.write
import search_spaces.stock_unet
from nas.algorithms.steps import StopReason
from nas.config.loading import load_config
from nas.config.sections import ExperimentConfig
from nas.export.form import ExportForm
from nas.export.source import ExportError, source_of_spec
from nas.export.verify import verify
from nas.export.write import export
from nas.pipelines.model_folder import ModelFolder
from nas.runs.checkpoints.weights import weights_digest
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture, read_spec, write_spec
from nas.scores.intervals import mean_interval
from nas.testing.playing import SMALL_UNET
from search_spaces import Action, Architecture, SpaceForm, space_from_config, stock_config
from search_spaces.actions import CopyStart
from search_spaces.files.digests import folder_digest
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.known.architectures import KNOWN_ARCHITECTURES
from search_spaces.supernet import Supernet
from tests.folders import write_pipeline
from tests.nas.export.exporting import export_run
from tests.nas.searching import read_json
from tests.nas.synthetic import small_space, write_wanted
from tests.strategies import architectures

SPACE = small_space()
STOCK = space_from_config(SMALL_UNET, form=SpaceForm.STOCK)


def test_blocks_that_should_be_neutral_and_are_not_fail_the_check(
    sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_spaces.stock_unet, "neutralise", lambda block: None)
    monkeypatch.setattr(nas.export.write, "run_verification", verify)
    source = source_of_spec("snapfusion-table3", model=ModelFolder(sd1))
    with pytest.raises(ExportError, match="differs from the supernet"):
        export(source, out=tmp_path / "out", form=ExportForm.NEUTRAL, measure=False)
    assert list(tmp_path.iterdir()) == []
    assert all(parameter.requires_grad for parameter in source.supernet.all_parameters()), "it can go on training"


@pytest.mark.usefixtures("checked_here")
def test_a_found_architecture_that_is_a_stock_config_needs_no_import(
    experiment: Path, model: Path, tmp_path: Path
) -> None:
    """Copies of cross-attentions are what stock diffusers can spell."""
    actions = (Action.parse("+cross_attention[up.1,1]"), Action.parse("+cross_attention[up.0,0]"))
    architecture = actions[1].apply(actions[0].apply(SPACE.base))
    config: ExperimentConfig = load_config(experiment)
    supernet = Supernet(load_unet(model), space=SPACE, copy_start=CopyStart.SAME)
    supernet.switch(architecture)
    run = RunDirectory(tmp_path / "run")
    with run.opened(config.plain()):
        run.weights.write(0, architecture=architecture, weights=supernet.weights())
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
            digests={"model": folder_digest(config.model), "weights": weights_digest(supernet.weights())},
        )
        write_spec(run.spec_path, found, space=SPACE, model=ModelFolder(config.model))
    report = export_run(run.path, out=tmp_path / "out")
    assert report.loads_as == "stock config"
    assert read_json(tmp_path / "out" / "model_index.json")["unet"] == ["diffusers", "UNet2DConditionModel"]
    stock = UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    assert stock.num_parameters() == SPACE.num_params(architecture)


@pytest.mark.usefixtures("checked_here")
def test_neutral_blocks_cost_what_the_table_says(experiment: Path, model: Path, tmp_path: Path) -> None:
    table = experiment.parent / "table.json"
    wanted = write_wanted(tmp_path, "-resnet[mid,1]", space=SPACE)
    source = source_of_spec(str(wanted), model=ModelFolder(model), table=table)
    report = export(source, out=tmp_path / "out", form=ExportForm.NEUTRAL, measure=False)
    assert report.neutral == ("mid_block.resnets.1",)
    assert report.predicted_ms is not None
    assert report.built_predicted_ms == pytest.approx(report.base_predicted_ms)
    assert any(label == "1 neutral blocks cost, ms" for label, _, _ in report.rows())


@pytest.mark.usefixtures("checked_here")
def test_onnx_is_checked_in_onnx_runtime(tmp_path: Path) -> None:
    """A UNet of two stages: converting takes its time with every block."""
    model = write_pipeline(tmp_path / "model", kind="bk-sdm-small", width=16)
    config: dict[str, Any] = {
        **read_unet_config(model),
        "block_out_channels": [16, 16],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    shutil.rmtree(model / "unet")
    UNet2DConditionModel.from_config(config).save_pretrained(model / "unet")
    space = space_from_config(config)
    architecture = space.base
    for action in ("-cross_attention[up.1,0]", "-resnet[up.1,0]"):
        architecture = Action.parse(action).apply(architecture)
    (tmp_path / "wanted.json").write_text(architecture.to_json())
    source = source_of_spec(str(tmp_path / "wanted.json"), model=ModelFolder(model))
    report = export(source, out=tmp_path / "out", form=ExportForm.ONNX, batch=2)
    assert "opset 18" in report.loads_as
    assert report.max_difference is not None
    assert report.max_difference <= report.tolerance
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "architecture.json", "export.json", "unet.onnx",
    ]  # fmt: skip


@pytest.mark.usefixtures("checked_here")
def test_half_precision_is_written_and_compared_as_such(sd1: Path, tmp_path: Path) -> None:
    source = source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))
    report = export(source, out=tmp_path / "out", dtype="float16", measure=False)
    assert (report.dtype, report.tolerance) == ("float16", 1e-5)
    weights = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert {weight.dtype for weight in source.supernet.unet.state_dict().values()} == {torch.float32}


def test_a_spec_alone_needs_no_check(sd1: Path, tmp_path: Path) -> None:
    source = source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))
    report = export(source, out=tmp_path / "out", form=ExportForm.SPEC)
    assert read_spec(tmp_path / "out" / "architecture.json")[0] == KNOWN_ARCHITECTURES["bk-sdm-tiny"].build()
    assert report.max_difference is None


@pytest.mark.usefixtures("checked_here")
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(architecture=st.one_of(architectures(SPACE), architectures(STOCK)))
def test_any_architecture_comes_back_as_what_it_was(
    architecture: Architecture, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Written, reloaded and compared by the export itself; its spec and its folder are the architecture again."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "wanted.json").write_text(architecture.to_json())
    source = source_of_spec(str(folder / "wanted.json"), model=ModelFolder(model))
    report = export(source, out=folder / "out", measure=False)
    config = stock_config(architecture, space=SPACE, base_config=SMALL_UNET).config
    assert report.loads_as == ("SearchedUNet" if config is None else "stock config")
    assert source_of_spec(str(folder / "out"), model=ModelFolder(model)).architecture == architecture
    shutil.rmtree(folder)
