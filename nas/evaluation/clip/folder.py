"""An OpenCLIP folder, checked before OpenCLIP reads it: what it may ask for, and what is in it. Loads no weight.

OpenCLIP obeys `open_clip_config.json` to the letter: it would fetch towers and tokenizers from the hub, run a
tokenizer's own code, and build a tower of any size. Here only the settings of its own towers may stand in it.
"""

from math import prod
from pathlib import Path
from typing import Any, Final

import open_clip

from search_spaces.files.config_laws import (
    FLAG,
    NULL,
    OBJECT,
    TEXT,
    Law,
    Laws,
    among,
    config_faults,
    listed,
    number,
    obeying,
    whole,
)
from search_spaces.files.digests import files_digest
from search_spaces.folders.checked_loading import faults_told, without_weights
from search_spaces.folders.part_laws import read_config
from search_spaces.folders.tokenizer_files import CLIP_TOKENIZERS, TOKENIZER_FILES, check_tokenizer
from search_spaces.folders.weight_files import ModelFolderError, read_header
from search_spaces.unets.keys import CHANNELS

CONFIG: Final = "open_clip_config.json"
WEIGHTS: Final = "open_clip_model.safetensors"
# Tokenizers of models that OpenCLIP knows, whose classes read vocabularies and nothing else.
_TOKENIZERS: Final = (
    *CLIP_TOKENIZERS,
    *(name + end for name in ("T5Tokenizer", "GemmaTokenizer", "BertTokenizer", "XLMRobertaTokenizer")
      for end in ("", "Fast")),
)  # fmt: skip
_SIZE: Final = whole(1, 4_096)
_LAYERS: Final = whole(1, 200)
_FLAG: Final = FLAG | NULL
_BLOCKS: Final[Laws] = {
    "width": CHANNELS,
    "mlp_ratio": number(0.01, 100),
    "ls_init_value": NULL | number(),
    "final_ln_after_pool": _FLAG,
    "output_tokens": _FLAG,
    "act_kwargs": NULL | obeying({"approximate": among("tanh", "none")}),
    "norm_kwargs": NULL | obeying({"eps": number(0, 1)}),
    "block_type": NULL | among("default", "custom"),
    **dict.fromkeys(
        ("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"), _FLAG
    ),
}
# A tower of timm's is built from timm's own list; what names a place is none.
_TIMM: Final = Law(
    "the plain name of an architecture of timm",
    lambda value: value is None or (isinstance(value, str) and value.replace(".", "_").isidentifier()),
)
_VISION: Final[Laws] = _BLOCKS | {
    "layers": _LAYERS | listed(_LAYERS, least=4, most=4),
    "head_width": CHANNELS,
    "patch_size": NULL | _SIZE,
    "image_size": _SIZE | listed(_SIZE, least=2, most=2),
    "patch_dropout": number(0, 1),
    "attentional_pool": _FLAG | among("parallel", "cascade"),
    "attn_pooler_queries": _SIZE,
    "attn_pooler_heads": whole(1, 1_024),
    "no_ln_pre": _FLAG,
    "pos_embed_type": among("learnable"),
    "pool_type": among("tok", "avg", "none"),
    "timm_model_name": _TIMM,
    "timm_model_pretrained": _FLAG,  # never obeyed, since the folder's own weights are loaded
    "timm_pool": TEXT,
    "timm_proj": NULL | TEXT,
    "timm_proj_bias": _FLAG,
    "timm_drop": number(0, 1),
    "timm_drop_path": NULL | number(0, 1),
}
_TEXT: Final[Laws] = _BLOCKS | {
    "context_length": _SIZE,
    "vocab_size": whole(1, 10_000_000),
    "hf_tokenizer_name": NULL | TEXT,  # says that the folder holds a tokenizer; what it names is not read
    "tokenizer_mode": NULL | among("clips"),
    "tokenizer_kwargs": NULL
    | obeying({"clean": among("canonicalize", "lower", "whitespace"), "strip_sep_token": FLAG}),
    "heads": whole(1, 1_024),
    "layers": _LAYERS,
    "embed_cls": _FLAG,
    "pad_id": whole(0, 10_000_000),
    "eos_id": whole(0, 10_000_000),
    "no_causal_mask": _FLAG,
    "pool_type": among("first", "last", "argmax", "eos", "none"),
    "proj_bias": _FLAG,
    "proj_type": among("linear", "none"),
}
_MODEL: Final[Laws] = {
    "embed_dim": CHANNELS,
    "vision_cfg": OBJECT,
    "text_cfg": OBJECT,
    "quick_gelu": _FLAG,
    "custom_text": _FLAG,
    "init_logit_scale": number(),
    "init_logit_bias": NULL | number(),
    "nonscalar_logit_scale": _FLAG,
}
_COLOURS: Final = listed(number(), least=3, most=3)
_PREPROCESS: Final[Laws] = {
    "size": _SIZE | listed(_SIZE, least=2, most=2),
    "mode": among("RGB"),
    "mean": _COLOURS,
    "std": listed(number(1e-6, 1e6), least=3, most=3),
    "interpolation": among("bicubic", "bilinear", "random"),
    "resize_mode": among("shortest", "longest", "squash"),
    "fill_color": whole(0, 255),
}
# transformers chooses a tokenizer by the folder's `config.json` too.
_OTHER_CONFIG: Final[Laws] = {
    "auto_map": NULL,
    "tokenizer_class": NULL | among(*_TOKENIZERS),
    "model_type": NULL | among("clip", "siglip", "siglip2", "bert", "t5", "mt5", "gemma", "roberta", "xlm-roberta"),
}
_MOST_TIMES: Final = 2  # as many numbers as the file holds; positions may be fewer there than in the model


def check_clip_folder(folder: Path, /) -> dict[str, Any]:
    """Check, without loading it, that a folder is a complete OpenCLIP model that asks for nothing from elsewhere.

    Returns:
        Its `model_cfg`.

    Raises:
        ModelFolderError: It is not; the message names the file, what is wrong in it, and the remedy.
    """
    path = folder / CONFIG
    if not folder.is_dir():
        raise ModelFolderError(f"there is no OpenCLIP folder {folder}; give one, which holds {CONFIG}")
    config = read_config(path, {"model_cfg": OBJECT, "preprocess_cfg": OBJECT}, of="an OpenCLIP model")
    model: dict[str, Any] = config.get("model_cfg", {})
    sections = (
        ("model_cfg", model, _MODEL, ("embed_dim", "vision_cfg", "text_cfg")),
        ("preprocess_cfg", config.get("preprocess_cfg", {}), _PREPROCESS, ()),
        ("model_cfg.vision_cfg", _section(model, "vision_cfg"), _VISION, ()),
        ("model_cfg.text_cfg", _section(model, "text_cfg"), _TEXT, ()),
    )
    wrong = [f"{name}: {fault}" for name, section, laws, _ in sections for fault in config_faults(section, laws)]
    wrong += [f"{name}.{key} is absent" for name, section, _, keys in sections for key in keys if key not in section]
    if wrong:
        raise ModelFolderError(
            f"{path} must describe an OpenCLIP model whose parts all lie in its folder, but {'; '.join(wrong)}; choose "
            "another model, or correct it"
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelFolderError(f"{folder} has no {WEIGHTS}; weights are loaded as safetensors only")
    if model["text_cfg"].get("hf_tokenizer_name"):
        check_tokenizer(folder, classes=_TOKENIZERS)
        if (folder / "config.json").is_file():
            read_config(folder / "config.json", _OTHER_CONFIG, of="a CLIP model", ignored=None)
    return model


def check_clip_size(model: dict[str, Any], weights: Path, /) -> None:
    """Check that a config describes a model as large as its weights, before memory is taken for it.

    Args:
        model: `model_cfg` of a checked config.
        weights: Safetensors file.

    Raises:
        ModelFolderError: A damaged file, a model that cannot be built, or one of another size.
    """
    stored = sum(prod(tensor.shape) for tensor in read_header(weights).values())
    settings = {key: value for key, value in model.items() if key != "custom_text"}
    settings["vision_cfg"] = model["vision_cfg"] | {"timm_model_pretrained": False}  # timm would fetch weights
    kind = open_clip.CustomTextCLIP if model.get("custom_text") else open_clip.CLIP
    with faults_told(weights, what="an OpenCLIP model of its config"), without_weights():
        wanted = sum(parameter.numel() for parameter in kind(**settings).parameters())
    if wanted > _MOST_TIMES * stored:
        raise ModelFolderError(
            f"{weights} must hold the model that its config describes, of {wanted:,} numbers, but holds {stored:,}; "
            "restore the folder from where it came"
        )


def clip_folder_files(folder: Path, /) -> list[Path]:
    """All files of an OpenCLIP folder that are read."""
    return [path for name in (CONFIG, WEIGHTS, *TOKENIZER_FILES) if (path := folder / name).is_file()]


def clip_folder_digest(folder: Path, /) -> str:
    """Digest of all that is read of an OpenCLIP folder."""
    return files_digest(clip_folder_files(folder), folder=folder)


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}
