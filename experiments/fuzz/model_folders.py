"""Model and CLIP folders: the bundled ones with one file damaged: JSON, weights, vocabularies.

A folder is loaded whole and asked for something small, or refused in words that name it. Everything is read from the
folder; no connection is made.
"""

import copy
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from experiments.fuzz.case import Case
from nas.evaluation.clip.model import ClipModel
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from search_spaces.files.user_error import UserError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.unets.diffusers_config import space_from_config

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # were anything asked for, it would be an error that is none of ours

_MAX_MESSAGE: Final = 20_000  # characters
_CAPTION: Final = ["a red ring above a blue square"]
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, "", "x", "x" * 5000, "a/b", "../..", "float99", "\x1b[31m", "\ud800", [], [[]], {}, [None],
    [{}], ["x"] * 100, [1, 2], {"a": {"b": 1}}, -1, 0, 1, 2, 3, 7, 0.5, -0.0, 1e300, 10**6, 10**9, 2**31, 2**63,
    10**400, float("inf"), float("nan"), [10**9], [[10**9] * 3] * 4, "UpDecoderBlock2D", "silu", "gelu",
)  # fmt: skip
_KEYS: Final[dict[str, Any]] = {
    "auto_map": {"AutoModel": "payload.Evil"},
    "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
    "trust_remote_code": True,
    "_attn_implementation": "a/b",
    "dtype": "float99",
    "torch_dtype": "float99",
    "hf_model_name": "a/b",
    "timm_model_name": "hf-hub:a/b",
    "hidden_act": "evil",
    "tie_word_embeddings": "x",
    "id2label": 5,
    "tokenizer_file": "/etc/passwd",
    "chat_template": "{{ x }}",
    "added_tokens_decoder": {"99999": {"content": "x"}},
    "num_train_timesteps": 10**9,
    "trained_betas": [0.1],
    "num_attention_heads": [1],
    "reverse_transformer_layers_per_block": [[1]],
}
_TEXTS: Final = (
    b"", b"{", b"[]", b"null", b"5", b'"x"', b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"\xef\xbb\xbf{}",
    b"\x00", b"{}", b'{"a": 1, "a": 2}', b"NaN", b"9" * 5000, b"version https://git-lfs.github.com/spec/v1\n",
)  # fmt: skip


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many damaged folders; the same for the same seed."""
    rng = random.Random(seed)
    sources = {
        path: base for base in (PIPELINE_DIR, OPEN_CLIP_DIR) for path in sorted(base.rglob("*")) if path.is_file()
    }
    for number in range(num):
        path, base = rng.choice(list(sources.items()))
        what, damaged = _damaged(path, rng)
        name = f"{number} {base.name}/{path.relative_to(base).as_posix()}: {what}"[:150]
        yield Case(name=name, run=partial(_run, base, path, damaged))


def _run(base: Path, path: Path, content: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        shutil.copytree(base, folder, copy_function=os.link if _same_disk(base, Path(place)) else shutil.copy)
        target = folder / path.relative_to(base)
        target.unlink()
        target.write_bytes(content)
        try:
            _READERS[base](folder)
        except UserError as error:
            if len(str(error)) > _MAX_MESSAGE or not (str(folder) in str(error) or "this UNet" in str(error)):
                raise AssertionError(f"a message that is too long or names no file: {str(error)[:2000]}") from error
            raise


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


@torch.inference_mode()
def _read_pipeline(folder: Path) -> None:
    """Load a pipeline's parts, and have each compute something small."""
    model = ModelFolder(folder)
    config = model.unet_config()
    space_from_config(config)
    parts, unet = PipelineParts.load(model), model.load_unet()
    text = parts.embed(_CAPTION, size_px=(16, 16)).embeddings
    latents = torch.zeros(1, config.get("in_channels", 4), 8, 8)
    parts.decode(unet(latents, 1, encoder_hidden_states=text).sample)


def _read_clip(folder: Path) -> None:
    """Load CLIP, and have it look at a caption and a picture."""
    clip = ClipModel(str(folder))
    clip.embed_captions(_CAPTION)
    clip.embed_pictures(torch.zeros(1, 3, 64, 64))


_READERS: Final[dict[Path, Callable[[Path], None]]] = {PIPELINE_DIR: _read_pipeline, OPEN_CLIP_DIR: _read_clip}


def _damaged(path: Path, rng: random.Random) -> tuple[str, bytes]:
    """What was done to a file, and what it holds then."""
    content = path.read_bytes()
    if rng.random() < 0.15:
        return "other text", rng.choice(_TEXTS)
    if rng.random() < 0.15:
        length = rng.choice((rng.randrange(len(content)), rng.randrange(min(100, len(content)))))
        return f"cut to {length} bytes", content[:length]
    if path.suffix == ".safetensors":
        return _damaged_weights(content, rng)
    if path.suffix == ".json" and rng.random() < 0.85:
        document = json.loads(content)
        what = _damage(document, rng)
        return what, json.dumps(document).encode()
    return _flipped(content, rng, most=len(content))


def _damaged_weights(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    kind = rng.randrange(5)
    if kind == 0:
        wrong = rng.choice((0, 1, length - 1, length + 1, 2**31, 2**60, 2**63))
        return f"header of {wrong} bytes", wrong.to_bytes(8, "little") + content[8:]
    if kind == 1:
        what, head = _flipped(content[: 8 + length], rng, most=8 + length)
        return what, head + data
    if kind == 2:
        values = bytearray(data)
        at = rng.randrange(len(values) // 4) * 4
        values[at : at + 4] = rng.choice((b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f"))
        return f"another number at byte {at}", content[: 8 + length] + bytes(values)
    name = rng.choice(list(header))
    if kind == 3:
        prefix = rng.choice(("_orig_mod.", "module.", "lora_", ""))
        header = {prefix + key if key != "__metadata__" else key: entry for key, entry in header.items()}
        if not prefix:
            del header[name]
        what = f"names with {prefix!r}"
    else:
        what = _damage(header, rng)
    text = json.dumps(header).encode()
    return what, len(text).to_bytes(8, "little") + text + data


def _flipped(content: bytes, rng: random.Random, *, most: int) -> tuple[str, bytes]:
    at = rng.randrange(most)
    return f"another byte at {at}", content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]


def _damage(document: Any, rng: random.Random) -> str:
    """Change one place of a document; what was done."""
    places = list(_places(document))
    if isinstance(document, dict) and rng.random() < 0.15:
        holders = [document, *(part[key] for part, key in places if isinstance(part[key], dict))]
        key = rng.choice(list(_KEYS))
        rng.choice(holders)[key] = copy.deepcopy(_KEYS[key])
        return f"with {key}"
    part, key = rng.choice(places)
    if isinstance(part, dict) and rng.random() < 0.15:
        del part[key]
        return f"without {key}"
    value = rng.choice(_ODD)
    if isinstance(part[key], int) and rng.random() < 0.3:
        value = part[key] + rng.choice((-1, 1)) if rng.random() < 0.5 else part[key] * 2
    part[key] = copy.deepcopy(value)
    return f"{key} = {value!r:.40}"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
