"""Single-file checkpoints made pipeline folders: every weight arrives, nothing is guessed, pickles stay shut."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from diffusers.loaders import single_file
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from nas.cli.app import app
from nas.pipelines.convert import ConversionError, convert_checkpoint
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from search_spaces.folders.loading import ModelFolderError, load_unet
from search_spaces.folders.weight_files import stored_dtype, weight_files
from tests.folders import write_pipeline
from tests.single_file import write_single_file

PART_NAMES = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pipeline(tmp_path_factory.mktemp("family") / "sd1", width=16)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Path:
    return write_single_file(folder.parent / "model.safetensors", folder)


def configs_only(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to, ignore=shutil.ignore_patterns("*.safetensors")))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", ["sd1", "sd2", "sdxl", "bk-sdm"])
def test_every_weight_arrives_in_its_type(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / kind, kind=kind, width=16, dtype=dtype)
    file = write_single_file(tmp_path / "model.safetensors", folder)
    out = tmp_path / "converted"
    convert_checkpoint(file, out=out, config=configs_only(folder, tmp_path / "configs"))
    for part in PART_NAMES:
        if (folder / part).is_dir():
            before, after = (load_file(weight_files(base / part)[0]) for base in (folder, out))
            assert before.keys() == after.keys()
            assert all(torch.equal(weight, after[name]) for name, weight in before.items())
            assert f"torch.{stored_dtype(out / part)}" == str(dtype)
    PipelineParts.load(ModelFolder(out))
    load_unet(out)
    DiffusionPipeline.from_pretrained(out)


def test_the_command_converts(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "converted"
    result = CliRunner().invoke(app, ["convert", str(checkpoint), str(out), "--config", str(folder)])
    assert result.exit_code == 0, result.output
    assert "parameters ->" in result.output
    assert (out / "model_index.json").is_file()
    again = CliRunner().invoke(app, ["convert", str(checkpoint), str(out), "--config", str(folder)])
    assert again.exit_code == 2
    assert "must not exist yet" in again.output


def test_parts_that_are_not_converted_are_not_loaded_either(
    folder: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real folder names a checker and an encoder of pictures; behind the law of the index there is a second lock."""
    loaded = list[str]()
    load = single_file.load_single_file_sub_model

    def told(*args: Any, **settings: Any) -> Any:
        loaded.append(settings["name"])
        return load(*args, **settings)

    monkeypatch.setattr(single_file, "load_single_file_sub_model", told)
    sdxl = write_pipeline(tmp_path / "sdxl", kind="sdxl", width=16)
    for config, file in ((folder, checkpoint), (sdxl, write_single_file(tmp_path / "sdxl.safetensors", sdxl))):
        named = configs_only(config, tmp_path / f"{config.name}_configs")
        index = json.loads((named / "model_index.json").read_text()) | {
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        }
        (named / "model_index.json").write_text(json.dumps(index))
        loaded.clear()
        convert_checkpoint(file, out=tmp_path / f"{config.name}_out", config=named)
        assert set(loaded) == {path.name for path in config.iterdir() if path.is_dir()}


@pytest.mark.parametrize("name", ["model.ckpt", "model.bin", "model.pt"])
def test_pickles_are_never_opened(name: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    with pytest.raises(ConversionError, match="pickles can run any code when they are opened, so they are refused"):
        convert_checkpoint(path, out=tmp_path / "out", config=folder)
    assert not (tmp_path / "out").exists()


def test_files_that_are_no_checkpoint_are_refused(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ModelFolderError, match="there is no checkpoint"):
        convert_checkpoint(tmp_path / "absent.safetensors", out=out, config=folder)
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(ConversionError, match=r"must hold a UNet under model\.diffusion_model\.\*, but .* holds none"):
        convert_checkpoint(unet, out=out, config=folder)
    short = tmp_path / "short.safetensors"
    short.write_bytes(checkpoint.read_bytes()[:-9])
    with pytest.raises(ModelFolderError, match="must be a whole safetensors file"):
        convert_checkpoint(short, out=out, config=folder)
    assert not out.exists()


@pytest.mark.parametrize("kind", ["sdxl", "bk-sdm"])
def test_the_config_must_be_of_the_same_family(kind: str, checkpoint: Path, tmp_path: Path) -> None:
    other = write_pipeline(tmp_path / kind, kind=kind, width=16)
    with pytest.raises(ConversionError, match=r"give the config of its own family"):
        convert_checkpoint(checkpoint, out=tmp_path / "out", config=other)
    assert list(tmp_path.glob("out*")) == []


@pytest.mark.parametrize(
    ("name", "law"),
    [
        (
            "model.diffusion_model.middle_block.0.in_layers.2.bias",
            r"the UNet .* must have the \d+ tensors .*, but has \d+",
        ),
        ("first_stage_model.decoder.norm_out.weight", "some of its autoencoder's are absent; give the config"),
        (
            "cond_stage_model.transformer.text_model.final_layer_norm.bias",
            r"1 are absent, such as text_encoder: \S+; give",
        ),
    ],
)
def test_absent_weights_are_named_and_nothing_is_written(
    name: str, law: str, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    weights = load_file(checkpoint)
    del weights[name]
    path = tmp_path / "partial.safetensors"
    save_file(weights, path)
    with pytest.raises(ConversionError, match=law):
        convert_checkpoint(path, out=tmp_path / "out", config=folder)
    assert list(tmp_path.glob("out*")) == []


def marked(checkpoint: Path, path: Path, *names: str) -> Path:
    """The same checkpoint with empty tensors of some names."""
    save_file(load_file(checkpoint) | {name: torch.zeros(0) for name in names}, path)
    return path


@pytest.mark.parametrize(
    ("marks", "law"),
    [
        (
            ("v_pred",),
            r"is marked `v_pred`, so `prediction_type` must be \"v_prediction\", but is \"epsilon\" in ",
        ),
        (("v_pred", "ztsnr"), r"is marked `ztsnr`, so `rescale_betas_zero_snr` must be true, but is false in .*config"),
        (("edm_mean",), r"is marked `edm_mean`, trained by EDM: its schedulers are not supported"),
        (("lora_unet_mid.lora_up.weight",), r"it holds LoRA layers beside the model \(1, such as lora_unet_mid"),
    ],
)
def test_what_a_file_says_of_itself_must_be_what_the_config_says(
    marks: tuple[str, ...], law: str, folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    file = marked(checkpoint, tmp_path / "model.safetensors", *marks)
    with pytest.raises(ConversionError, match=law):
        convert_checkpoint(file, out=tmp_path / "out", config=folder)
    assert not (tmp_path / "out").exists()


def test_a_marked_file_is_converted_by_a_config_that_agrees(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    config = configs_only(folder, tmp_path / "configs")
    path = config / "scheduler" / "scheduler_config.json"
    agreed = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    path.write_text(json.dumps(json.loads(path.read_text()) | agreed))
    file = marked(checkpoint, tmp_path / "model.safetensors", "v_pred", "ztsnr")
    convert_checkpoint(file, out=tmp_path / "out", config=config)
    written = json.loads((tmp_path / "out" / "scheduler" / "scheduler_config.json").read_text())
    assert written["prediction_type"] == "v_prediction"


@pytest.mark.parametrize(
    ("prefix", "law"),
    [
        (
            "first_stage_model.",
            r"holds no autoencoder \(first_stage_model\.\*\), which no config can give",
        ),
        ("cond_stage_model.", r"holds no text encoder \(cond_stage_model\.\*\), which no config can give"),
    ],
)
def test_a_file_without_a_part_says_so(prefix: str, law: str, folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "partial.safetensors"
    save_file({name: weight for name, weight in load_file(checkpoint).items() if not name.startswith(prefix)}, path)
    with pytest.raises(ConversionError, match=law):
        convert_checkpoint(path, out=tmp_path / "out", config=folder)


def test_inpainting_is_named(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    weights = load_file(checkpoint)
    first = "model.diffusion_model.input_blocks.0.0.weight"
    weights[first] = torch.zeros(len(weights[first]), 9, 3, 3)
    save_file(weights, tmp_path / "inpainting.safetensors")
    with pytest.raises(ConversionError, match=r"reads 9 channels and must read 4: an inpainting model, which is not"):
        convert_checkpoint(tmp_path / "inpainting.safetensors", out=tmp_path / "out", config=folder)
