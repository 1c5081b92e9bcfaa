"""Configs of a model's parts: what no library could build, or only without end, is refused by key beforehand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces import UnsupportedConfigError, space_from_config
from search_spaces.folders.loading import read_unet_config
from search_spaces.folders.part_laws import read_scheduler_config, read_text_encoder_config, read_vae_config
from search_spaces.folders.tokenizer_files import check_tokenizer
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.known.architectures import BASE_CONFIGS, SD15_CONFIG

UNET = SD15_CONFIG | {"_class_name": "UNet2DConditionModel"}
READERS: dict[str, tuple[Callable[[Path], dict[str, Any]], dict[str, Any]]] = {
    "vae": (read_vae_config, {"block_out_channels": [64, 64], "latent_channels": 4}),
    "text": (read_text_encoder_config, {"hidden_size": 64, "num_attention_heads": 4}),
    "scheduler": (read_scheduler_config, {"beta_schedule": "linear"}),
}


def written(folder: Path, config: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("name", BASE_CONFIGS)
def test_known_models_pass(name: str, tmp_path: Path) -> None:
    config = dict(BASE_CONFIGS[name]) | {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0"}
    assert read_unet_config(written(tmp_path, config)).keys() == config.keys()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_out_channels", 5),
        ("block_out_channels", None),
        ("block_out_channels", []),
        ("block_out_channels", [320, 640, 1280, 10**9]),
        ("down_block_types", [{}]),
        ("attention_head_dim", 0),
        ("num_attention_heads", [True]),
        ("layers_per_block", 10**9),
        ("transformer_layers_per_block", 10**9),
        ("transformer_layers_per_block", [[10**9], 1, 1, 1]),
        ("cross_attention_dim", "768"),
        ("sample_size", float("nan")),
        ("act_fn", "evil"),
        ("norm_num_groups", 0),
        ("dropout", 1e300),
    ],
)
def test_settings_of_a_wrong_type_or_size_are_named(key: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=rf"config\.json must be the config of .*`{key}` must be .*, but got"):
        read_unet_config(written(tmp_path, UNET | {key: value}))
    with pytest.raises(UnsupportedConfigError, match=rf"cannot be searched: `{key}` must be"):
        space_from_config(UNET | {key: value})


def test_many_layers_of_many_blocks_are_too_many(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedConfigError, match=r"at most 2,000 transformer layers, but 4 stages may have 16,640"):
        space_from_config(UNET | {"layers_per_block": 32, "transformer_layers_per_block": 64})


def test_groups_divide_channels(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match=r"`norm_num_groups` must divide every number of `block_out_channels`"):
        read_unet_config(written(tmp_path, UNET | {"norm_num_groups": 7}))


@pytest.mark.parametrize(
    ("part", "changes", "law"),
    [
        ("vae", {"block_out_channels": []}, "`block_out_channels` must be a list of 1 to"),
        ("vae", {"layers_per_block": 10**7}, "`layers_per_block` must be a whole number from 1 to 64"),
        ("vae", {"dtype": "float99"}, "`dtype` may not stand there"),
        ("vae", {"latents_mean": [0.0, 1.0]}, "`latents_mean` has 2 entries but `latent_channels` is 4"),
        ("vae", {"down_block_types": ["DownEncoderBlock2D"]}, "`down_block_types` has 1 stages but"),
        ("vae", {"norm_num_groups": 5}, "`norm_num_groups` must divide"),
        ("text", {"hidden_size": 0}, "`hidden_size` must be a whole number"),
        ("text", {"hidden_act": "evil"}, "`hidden_act` must be 'quick_gelu' or"),
        ("text", {"num_hidden_layers": "x"}, "`num_hidden_layers` must be a whole number"),
        ("text", {"num_hidden_layers": 10**9}, "`num_hidden_layers` must be a whole number"),
        ("text", {"num_attention_heads": 3}, "`hidden_size` must be a multiple of `num_attention_heads`"),
        ("scheduler", {"num_train_timesteps": 10**9}, "`num_train_timesteps` must be a whole number"),
        ("scheduler", {"beta_start": float("nan")}, "`beta_start` must be"),
    ],
)
def test_other_parts_are_as_strict(part: str, changes: dict[str, Any], law: str, tmp_path: Path) -> None:
    read, config = READERS[part]
    path = written(tmp_path, config) / "config.json"
    assert read(path) == config
    written(tmp_path, config | changes)
    with pytest.raises(ModelFolderError, match=rf"config\.json.*{law}"):
        read(path)


def test_what_transformers_writes_beside_and_nothing_reads_is_let_be(tmp_path: Path) -> None:
    config = READERS["text"][1] | {"torch_dtype": "float99", "id2label": 5, "architectures": ["CLIPTextModel"]}
    assert read_text_encoder_config(written(tmp_path, config) / "config.json") == config


@pytest.mark.parametrize(
    ("name", "content", "law"),
    [
        ("tokenizer_config.json", "[" * 100_000, r"tokenizer_config\.json must be JSON"),
        ("tokenizer.json", '{"a":' * 100_000, r"tokenizer\.json must be JSON"),
        ("vocab.json", '{"a": 0, "b": -1}', r"vocab\.json: the token 'b' must have a whole number"),
        ("vocab.json", '{"a": 0, "b": 0}', r"vocab\.json: two tokens must not have one number"),
        ("special_tokens_map.json", '{"bos_token": {"content": 5}}', r"`bos_token` must be a text or an object of"),
    ],
)
def test_damaged_tokenizers_are_named(name: str, content: str, law: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 77}')
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    check_tokenizer(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(ModelFolderError, match=law):
        check_tokenizer(tmp_path)
