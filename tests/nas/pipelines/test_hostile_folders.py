"""Folders that try to run code or to reach a network: each place where a library would obey is refused or deaf.

Nothing here may open a connection, and nothing may leave `PWNED` behind.
"""

import json
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from nas.evaluation.clip.model import ClipModel, check_clip_name
from nas.pipelines.convert import convert_checkpoint
from nas.pipelines.folder import PipelineParts, load_pipeline
from nas.pipelines.model_folder import ModelFolder
from search_spaces.folders.loading import load_unet
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from tests.strangers import MARK, PAYLOAD, strangers_directory


class Pickled:
    """Leaves its mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (MARK, "w")


@pytest.fixture(autouse=True)
def nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The working directory is a stranger's; no connection is made and no mark is left."""
    reached = []

    def refused(*args: Any, **kwargs: Any) -> Any:
        reached.append(args)
        raise OSError("no network in this test")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)
    yield
    assert not reached, "something was asked of the network"
    assert not list(tmp_path.rglob(MARK)), "the payload ran"


def planted(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | changes))


def with_payloads(source: Path, folder: Path) -> Path:
    """A copy of a folder with Python, pickles and templates in every folder of it."""
    shutil.copytree(source, folder)
    for place in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        for name in ("payload", "modeling", "tokenization", "pipeline", "numpy", "sitecustomize", "__init__"):
            (place / f"{name}.py").write_text(PAYLOAD)
        for name in ("pytorch_model.bin", "diffusion_pytorch_model.bin", "open_clip_pytorch_model.bin", "model.pth"):
            (place / name).write_bytes(pickle.dumps(Pickled()))
        (place / "chat_template.jinja").write_text("{{ ''.__class__.__mro__[1].__subclasses__() }}")
    return folder


AUTO_MAP = {"AutoModel": "payload.Evil", "AutoTokenizer": ["payload.Evil", None]}
QUANTISED = {"quant_method": "bitsandbytes", "load_in_8bit": True}
TOKENIZER, SCHEDULER, INDEX = ("tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json", "model_index.json")
ADAPTER = {"base_model_name_or_path": "somebody/else", "peft_type": "LORA", "auto_mapping": AUTO_MAP}
PIPELINE_PLANTS: dict[str, tuple[str, dict[str, Any], str]] = {
    f"{part} {key}": (f"{part}/config.json", {key: value}, rf"{part}/config\.json must be .*`{key}` may not")
    for part in ("unet", "vae", "text_encoder")
    for key, value in {
        "auto_map": AUTO_MAP,
        "quantization_config": QUANTISED,
        "trust_remote_code": True,
        "_attn_implementation": "somebody/kernel",
        "attn_implementation": "somebody/kernel",
        "text_config": {"auto_map": AUTO_MAP},
        "_auto_class": "payload.Evil",
    }.items()
} | {
    "tokenizer auto_map": (TOKENIZER, {"auto_map": AUTO_MAP}, "`auto_map` may not stand there"),
    "tokenizer class": (TOKENIZER, {"tokenizer_class": "Evil"}, "`tokenizer_class` in .* must be"),
    "tokenizer file": (TOKENIZER, {"tokenizer_file": "/etc/passwd"}, "`tokenizer_file` must be nu"),
    "tokenizer vocabulary": (TOKENIZER, {"vocab_file": "/etc/passwd"}, "`vocab_file` may not"),
    "tokenizer template": (TOKENIZER, {"chat_template": "{{ x }}"}, "`chat_template` may not"),
    "special tokens": ("tokenizer/special_tokens_map.json", {"auto_map": AUTO_MAP}, "`auto_map` may not stand there"),
    "scheduler class": (SCHEDULER, {"_class_name": ["payload", "Evil"]}, "`_class_name` must be"),
    "scheduler object": (SCHEDULER, {"custom": {"a": 1}}, "`custom` must be null or true"),
    "adapter": ("text_encoder/adapter_config.json", ADAPTER, "holds adapter_config.json of PEFT"),
    "index library": (INDEX, {"vae": ["payload", "AutoencoderKL"]}, "`vae` must come from diffusers, but"),
    "index path": (INDEX, {"unet": ["../payload", "UNet2DConditionModel"]}, "`unet` must come from"),
    "index class": (INDEX, {"_class_name": ["payload", "Evil"]}, "`_class_name` in .* must be"),
    "index part": (INDEX, {"payload": ["payload", "Evil"]}, "`payload` may not stand there"),
    **{f"index {part}": (INDEX, {part: ["antigravity", "x"]}, f"`{part}` must be null or a class of")
       for part in ("image_encoder", "feature_extractor", "safety_checker")},
    "index pipeline": (INDEX, {"custom_pipeline": "payload"}, "`custom_pipeline` may not stand there"),
    "index scheduler": (INDEX, {"scheduler": ["diffusers", "utils"]}, "must be a scheduler of diffusers"),
    "index logging": (INDEX, {"scheduler": ["diffusers", "logging"]}, "must be a scheduler of diffusers"),
}  # fmt: skip


@pytest.mark.parametrize("plant", PIPELINE_PLANTS)
def test_what_a_pipeline_folder_asks_for_is_refused(plant: str, tmp_path: Path) -> None:
    name, changes, law = PIPELINE_PLANTS[plant]
    folder = with_payloads(PIPELINE_DIR, tmp_path / "model")
    planted(folder / name, **changes)
    with pytest.raises(ModelFolderError, match=law):
        PipelineParts.load(ModelFolder(folder))
    if name.startswith("unet"):
        with pytest.raises(ModelFolderError, match=law):
            load_unet(folder)
    if not name.startswith("unet") and plant != "adapter":
        with pytest.raises(ModelFolderError, match=law):
            convert_checkpoint(tmp_path / "model.safetensors", out=tmp_path / "out", config=folder)


def test_what_is_null_or_false_asks_for_nothing(tmp_path: Path) -> None:
    """Libraries write settings that they do not use, too; a folder with all of them is the same model."""
    folder = tmp_path / "model"
    shutil.copytree(PIPELINE_DIR, folder)
    nulls = dict.fromkeys(("auto_map", "quantization_config", "trust_remote_code", "device_map", "revision"))
    weights = nulls | {"torch_dtype": "float16"}
    averages = {"decay": 0.9999, "optimization_step": 7, "use_ema_warmup": True}
    unset = dict.fromkeys(("resnet_out_scale_factor", "attention_type", "addition_embed_type_num_heads"))
    text: dict[str, Any] = {
        "num_labels": 2,
        "use_cache": True,
        "position_embedding_type": "absolute",
        "text_config_dict": None,
    }
    text |= {"_attn_implementation_autoset": True, "attn_implementation": None, "_attn_implementation": None}
    files: dict[str, Any] = {
        "split_special_tokens": False,
        "from_slow": False,
        "trust_remote_code": False,
        "use_safetensors": True,
    }
    files |= dict.fromkeys(("vocab_file", "merges_file", "chat_template"))
    planted(folder / "unet" / "config.json", **weights, **averages, **unset, _use_default_values=["dropout"])
    planted(folder / "vae" / "config.json", **weights, **averages, _use_default_values=["shift_factor"])
    planted(folder / "text_encoder" / "config.json", **weights, **text)
    planted(folder / TOKENIZER, **(weights | files))
    planted(folder / SCHEDULER, **nulls, _use_default_values=["timestep_spacing"], sigma_max=float("inf"))
    parts, known = PipelineParts.load(ModelFolder(folder)), PipelineParts.load(ModelFolder(PIPELINE_DIR))
    embedded = (each.embed(["a red ring"], size_px=(96, 96)).embeddings for each in (parts, known))
    assert torch.equal(*embedded)
    load_pipeline(ModelFolder(folder))


def test_what_only_lies_in_a_pipeline_folder_is_left_alone(tmp_path: Path) -> None:
    model = ModelFolder(with_payloads(PIPELINE_DIR, tmp_path / "model"))
    assert model.digest() == ModelFolder(PIPELINE_DIR).digest()
    pipeline = load_pipeline(model)
    assert type(pipeline).__module__.startswith("diffusers.")


CLIP_PLANTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "remote code": ("text_cfg", {"tokenizer_kwargs": {"trust_remote_code": True}}, "`tokenizer_kwargs` must be nu"),
    "other tokenizer": ("text_cfg", {"tokenizer_kwargs": {"tokenizer_type": "x"}}, "`tokenizer_kwargs` must be nu"),
    "hub text tower": ("text_cfg", {"hf_model_name": "somebody/else"}, "`hf_model_name` may not stand there"),
    "hub picture tower": ("vision_cfg", {"timm_model_name": "hf-hub:somebody/else"}, "`timm_model_name` must be"),
    "local picture tower": ("vision_cfg", {"timm_model_name": "local-dir:/tmp"}, "`timm_model_name` must be"),
    "other key": ("model_cfg", {"pretrained_text_path": "x.bin"}, "`pretrained_text_path` may not stand there"),
    "decoder": ("model_cfg", {"multimodal_cfg": {"hf_model_name": "a/b"}}, "`multimodal_cfg` may not stand there"),
    "huge": ("text_cfg", {"vocab_size": 10_000_000}, r"of 1,\d{3},\d{3},\d{3} numbers, but holds"),
    "huge beside timm": (
        "model_cfg",
        {
            "vision_cfg": {"timm_model_name": "resnet18", "timm_model_pretrained": True, "image_size": 32},
            "text_cfg": {"width": 1024, "heads": 16, "vocab_size": 10_000_000},
        },
        r"of 10,\d{3},\d{3},\d{3} numbers, but holds",
    ),
    "huge in timm": (
        "model_cfg",
        {"vision_cfg": {"timm_model_name": "vit_giant_patch14_224", "image_size": 224}},
        r"of 1,\d{3},\d{3},\d{3} numbers, but holds",
    ),
    "endless": ("vision_cfg", {"layers": 10**9}, "`layers` must be a whole number from 1 to 200 or"),
}  # fmt: skip


@pytest.mark.parametrize("plant", CLIP_PLANTS)
def test_what_a_clip_folder_asks_for_is_refused(plant: str, tmp_path: Path) -> None:
    section, changes, law = CLIP_PLANTS[plant]
    folder = with_payloads(OPEN_CLIP_DIR, tmp_path / "clip")
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    (config["model_cfg"] if section == "model_cfg" else config["model_cfg"][section]).update(changes)
    path.write_text(json.dumps(config))
    with pytest.raises(ModelFolderError, match=law):
        ClipModel(str(folder))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("tokenizer_config.json", {"auto_map": AUTO_MAP}),
        ("tokenizer_config.json", {"tokenizer_class": "Evil"}),
        ("config.json", {"model_type": "clip", "auto_map": AUTO_MAP}),
        ("config.json", {"model_type": "custom"}),
        ("open_clip_config.json", {"trust_remote_code": True}),
    ],
)
def test_the_tokenizer_of_a_clip_folder_brings_no_code(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    folder = with_payloads(OPEN_CLIP_DIR, tmp_path / "clip")
    planted(folder / name, **changes)
    with pytest.raises(ModelFolderError, match=rf"{name} must"):
        check_clip_name(str(folder), pretrained=None)


def test_no_tokenizer_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the list of what may stand in a config there is a second lock."""
    calls, load = list[dict[str, Any]](), AutoTokenizer.from_pretrained

    def told(source: Any, **settings: Any) -> Any:
        calls.append(settings)
        return load(source, **settings)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", told)
    ClipModel(str(OPEN_CLIP_DIR))
    locks = [(call["trust_remote_code"], call["local_files_only"]) for call in calls]
    assert locks == [(False, True)]


def test_what_only_lies_in_a_clip_folder_is_left_alone(tmp_path: Path) -> None:
    folder = with_payloads(OPEN_CLIP_DIR, tmp_path / "clip")
    path = folder / "open_clip_config.json"
    path.write_text(path.read_text().replace('"./"', '"somebody/else"'))  # OpenCLIP takes the folder's own
    assert ClipModel(str(folder)).embed_captions(["a red ring"]).shape == (1, 128)


def test_the_module_nas_looks_for_no_modules_in_the_working_directory(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nas", "--help"]
    done = subprocess.run(
        command, cwd=strangers_directory(tmp_path / "stranger"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "search" in done.stdout
