"""Which folders are models, and what is said about those that are not."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from search_spaces.folders.loading import ModelFolderError, load_unet, read_unet_config, unet_folder


def test_a_unet_loads_from_its_folder_and_from_its_pipeline(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.train().save_pretrained(tmp_path / "unet")
    for folder in (tmp_path, tmp_path / "unet"):
        assert unet_folder(folder) == tmp_path / "unet"
        loaded = load_unet(folder)
        assert not loaded.training
        assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), unet.parameters(), strict=True))


def test_weights_must_be_safetensors(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    unet.save_pretrained(tmp_path, safe_serialization=False)
    with pytest.raises(ModelFolderError, match=r"weights must be safetensors, but .* has none"):
        load_unet(tmp_path)


def test_folders_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"there is no model folder .*absent; give a diffusers pipeline folder"):
        unet_folder(tmp_path / "absent")
    with pytest.raises(ModelFolderError, match=r"must hold `unet/config.json` or `config.json`, but .* has neither"):
        unet_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"_class_name": "UNet2D', "config.json must be JSON"),
        (json.dumps({"_class_name": "UNet3DConditionModel"}), "must be .* but got 'UNet3DConditionModel'"),
        ("[]", "must be a JSON object, but holds a list"),
        ('{"_class_name": "UNet2DConditionModel", "sample_size": 8, "sample_size": 9}', "but sample_size stands twice"),
    ],
)
def test_configs_of_something_else(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelFolderError, match=message):
        read_unet_config(tmp_path)
