"""A searched UNet is saved, loaded and drawn with like any other, in a process that knows nothing of the search."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from search_spaces import Architecture, ArchitectureError, space_from_config
from search_spaces.actions import Action, CopyStart
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.searched_unet import SearchedUNet
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.supernet import Supernet
from tests.search_spaces.conftest import CONFIG, Forward
from tests.search_spaces.drawing import draw
from tests.strategies import architectures

ROOT = Path(__file__).parents[2]
SPACE = space_from_config(CONFIG, max_copies=4)
TOLERANCE = 1e-6  # loaded weights may lie otherwise in memory, and sums be taken in another order
PICTURE_TOLERANCE = 1e-5  # guidance multiplies a difference of the UNet by 7.5, in every step


def walked(*actions: str) -> Architecture:
    architecture = SPACE.base
    for action in actions:
        architecture = Action.parse(action).apply(architecture)
    return architecture


SMALLER_AND_LARGER = walked(
    "-resnet[down.0,0]", "-resnet[up.2,0]", "-cross_attention[down.1,1]", "-cross_attention[mid,0]", "-resnet[mid,1]",
    "+resnet[down.0,1]", "+resnet[down.2,1]", "+resnet[down.2,1]", "+resnet[down.2,1]",
    "+cross_attention[up.1,0]", "+cross_attention[up.1,0]", "+cross_attention[up.1,0]",
)  # fmt: skip


def searched(unet: UNet2DConditionModel, architecture: Architecture) -> SearchedUNet:
    supernet = Supernet(unet, space=SPACE, copy_start=CopyStart.SAME)
    return SearchedUNet.from_supernet(supernet.materialise(architecture), architecture=architecture, base_config=CONFIG)


def test_it_is_what_was_materialised(unet: UNet2DConditionModel, forward: Forward) -> None:
    supernet = Supernet(unet, space=SPACE, copy_start=CopyStart.SAME)
    alone = supernet.materialise(SMALLER_AND_LARGER)
    found = SearchedUNet.from_supernet(alone, architecture=SMALLER_AND_LARGER, base_config=dict(unet.config))
    assert list(found.state_dict()) == list(alone.state_dict())
    assert not any(parameter.is_meta for parameter in found.parameters())
    assert {p.data_ptr() for p in found.parameters()} == {p.data_ptr() for p in alone.parameters()}
    assert sum(parameter.numel() for parameter in found.parameters()) == SPACE.num_params(SMALLER_AND_LARGER)
    assert torch.equal(forward(found), forward(alone))
    assert found.training == alone.training
    assert all(parameter.requires_grad for parameter in found.parameters())


@given(architecture=architectures(SPACE))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_architecture_can_be_built_from_its_config(architecture: Architecture) -> None:
    with torch.device("meta"):
        built = SearchedUNet.from_config(CONFIG | {"architecture": architecture.to_dict()})
    assert sum(parameter.numel() for parameter in built.parameters()) == SPACE.num_params(architecture)
    assert Architecture.from_dict(built.config.architecture) == architecture
    assert {name: built.config[name] for name in CONFIG} == CONFIG


def test_save_and_load(unet: UNet2DConditionModel, forward: Forward, tmp_path: Path) -> None:
    found = searched(unet, SMALLER_AND_LARGER)
    found.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "diffusion_pytorch_model.safetensors"}
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["_class_name"] == "SearchedUNet"
    assert Architecture.from_dict(config["architecture"]) == SMALLER_AND_LARGER
    again, info = SearchedUNet.from_pretrained(tmp_path, use_safetensors=True, output_loading_info=True)
    assert not any(info.values())
    assert (forward(again) - forward(found)).abs().max() <= TOLERANCE
    again.save_pretrained(tmp_path / "again")
    twice = load_unet(tmp_path / "again")
    assert isinstance(twice, SearchedUNet)
    assert not twice.training
    assert twice.config.architecture == again.config.architecture
    assert load_file(tmp_path / "again" / "diffusion_pytorch_model.safetensors").keys() == found.state_dict().keys()
    assert Architecture.from_dict(read_unet_config(tmp_path)["architecture"]) == SMALLER_AND_LARGER


def test_half_precision_stays(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    searched(unet.to(torch.bfloat16), SMALLER_AND_LARGER).save_pretrained(tmp_path)
    assert load_unet(tmp_path, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert load_unet(tmp_path).dtype == torch.float32


def test_a_pipeline_folder_draws_the_same_in_a_clean_process(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    folder, out = tmp_path / "pipeline", tmp_path / "pictures.safetensors"
    pipeline = tiny_pipeline(searched(unet, SMALLER_AND_LARGER))
    pipeline.save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    assert index["unet"] == ["search_spaces.searched_unet", "SearchedUNet"]
    assert {path.suffix for path in folder.rglob("*model*") if path.is_file()} == {".json", ".safetensors"}
    command = [sys.executable, "-m", draw.__module__, str(folder), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    expected, drawn = draw(pipeline), load_file(out)
    assert expected["pictures"].std() > 0
    assert (drawn["output"] - expected["output"]).abs().max() <= TOLERANCE
    assert (drawn["pictures"] - expected["pictures"]).abs().max() <= PICTURE_TOLERANCE


def tiny_pipeline(unet: UNet2DConditionModel) -> StableDiffusionPipeline:
    torch.manual_seed(0)
    tokenizer = CLIPTokenizer.from_pretrained(PIPELINE_DIR / "tokenizer")
    text_config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=CONFIG["cross_attention_dim"], intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)  # fmt: skip
    return StableDiffusionPipeline(
        vae=vae.eval(), text_encoder=CLIPTextModel(text_config).eval(), tokenizer=tokenizer, unet=unet.eval(),
        scheduler=DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def test_weights_of_another_architecture_are_refused(unet: UNet2DConditionModel) -> None:
    with pytest.raises(RuntimeError, match="Unexpected key"):
        SearchedUNet.from_supernet(unet, architecture=SMALLER_AND_LARGER, base_config=CONFIG)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"schema_version": 2, "stages": []}, "must have `schema_version` 1, but got 2"),
        (
            {
                "schema_version": 1,
                "stages": [{"place": "up.9", "positions": [{"source": 0, "resnets": 1, "cross_attentions": 0}]}],
            },
            "the base model has no stage up.9",
        ),
    ],
)
def test_a_config_with_another_architecture_is_refused(architecture: dict[str, Any], message: str) -> None:
    with torch.device("meta"), pytest.raises(ArchitectureError, match=message):
        SearchedUNet.from_config(CONFIG | {"architecture": architecture})


def test_a_config_without_an_architecture_is_refused() -> None:
    with torch.device("meta"), pytest.raises(TypeError, match="architecture"):
        SearchedUNet.from_config(CONFIG)
