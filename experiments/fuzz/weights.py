"""Weight files and checkpoints: flipped bits, cut ends, other lengths of headers, edited and retyped tensors.

A checkpoint that is read must be the one that was written; a model that is read must have the tensors of its config.
"""

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from experiments.fuzz.case import Case
from nas.runs.checkpoints.weights import read_weights, weights_digest, write_weights
from search_spaces.folders.loading import load_unet
from search_spaces.folders.weight_files import stored_dtype

_WEIGHTS: Final = "diffusion_pytorch_model.safetensors"
_INDEX: Final = "diffusion_pytorch_model.safetensors.index.json"
_SHARDS: Final = tuple(f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2))
_LENGTHS: Final = (0, 1, 2, 2**20, 2**31, 2**32, 2**60, 2**63, 2**64 - 1)
_ODD: Final[tuple[Any, ...]] = (
    None, True, "", "F32", "x" * 1000, "\udc00", [], {}, [[]], -1, 0, 1, 0.5, 1e300, float("nan"), 2**31, 2**63, 10**30,
)  # fmt: skip
_DTYPES: Final = ("F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64", "f32")


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many damaged files."""
    dice = random.Random(seed)
    readers = [_checkpoint, _folder, _folder, _sharded, _index, _model]
    for number in range(num):
        reader = dice.choice(readers)
        name, damage = _json_edits(dice) if reader is _index else dice.choice(_DAMAGES)(dice)
        yield Case(f"{number} {reader.__name__.strip('_')} {name}", partial(reader, damage))


# ---------------------------------------------------------------------------------------------- damages: bytes to bytes
Damage = Callable[[bytes], bytes]


def _flips(dice: random.Random) -> tuple[str, Damage]:
    place, bit, header = dice.random(), 1 << dice.randrange(8), dice.random() < 0.7

    def damage(data: bytes) -> bytes:
        end = 8 + int.from_bytes(data[:8], "little") if header else len(data)
        flipped = bytearray(data)
        flipped[int(place * end)] ^= bit
        return bytes(flipped)

    return f"bit {bit} at {place:.4f} of the {'header' if header else 'file'}", damage


def _cuts(dice: random.Random) -> tuple[str, Damage]:
    kept = dice.choice([0.0, dice.random(), 1 - dice.random() / 100])
    more = dice.choice([0, 0, 1, 4, 4096])
    return f"cut to {kept:.4f} and {more} zeros", lambda data: data[: int(kept * len(data))] + bytes(more)


def _lengths(dice: random.Random) -> tuple[str, Damage]:
    length = dice.choice([*_LENGTHS, dice.randrange(2**12)])
    return f"length {length}", lambda data: length.to_bytes(8, "little") + data[8:]


def _edits(dice: random.Random) -> tuple[str, Damage]:
    name, edit = _json_edits(dice)

    def damage(data: bytes) -> bytes:
        length = int.from_bytes(data[:8], "little")
        header = edit(data[8 : 8 + length])
        return len(header).to_bytes(8, "little") + header + data[8 + length :]

    return f"header {name}", damage


def _json_edits(dice: random.Random) -> tuple[str, Damage]:
    """Change a value, a key or the text of a JSON document."""
    kind = dice.choice(["value", "value", "dtype", "shape", "offsets", "without", "twice", "deep", "text"])
    own = dice.randrange(2**32)

    def damage(text: bytes) -> bytes:
        dice = random.Random(own)
        match kind:
            case "deep":
                depth = dice.choice([10, 100, 100_000])
                return b'{"a":' + b"[" * depth + b"]" * depth + b"}"
            case "text":
                return dice.choice([b"", b"[]", b"null", b"{", b"\xff\xfe{}", b'"x"', b"1", text[:-3], text + b"{}"])
            case "twice":
                return b"{" + text.strip()[1:-1] + b"," + text.strip()[1:]
        document = json.loads(text)
        holder, key = _place(document, dice)
        match kind:
            case "value":
                holder[key] = dice.choice(_ODD)
            case "without":
                del holder[key]
            case _:
                tensor = document[dice.choice(sorted(document))]
                wrong = _wrong(kind, tensor, dice)
                if isinstance(tensor, dict):
                    tensor[{"offsets": "data_offsets"}.get(kind, kind)] = wrong
        return json.dumps(document).encode("utf-8", "surrogatepass")

    return f"{kind} {own}", damage


def _wrong(kind: str, tensor: Any, dice: random.Random) -> Any:
    """Another type, shape or place of a tensor's bytes."""
    if kind == "dtype":
        return dice.choice(_DTYPES)
    old = tensor.get("shape" if kind == "shape" else "data_offsets", [0, 4]) if isinstance(tensor, dict) else [0, 4]
    changed = [*old, dice.choice(_ODD)] if dice.random() < 0.3 else [*old]
    if changed and dice.random() < 0.8:
        changed[dice.randrange(len(changed))] = dice.choice([*_ODD, *_LENGTHS, -8, changed[-1], changed[0]])
    return changed[::-1] if dice.random() < 0.3 else changed


def _place(document: Any, dice: random.Random) -> tuple[Any, Any]:
    """A container somewhere in a document that is not empty, and a key or index of it."""
    holder, key = document, dice.choice(sorted(document))
    while isinstance(holder[key], (dict, list)) and holder[key] and dice.random() < 0.7:
        holder = holder[key]
        key = dice.choice(sorted(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
    return holder, key


_DAMAGES: Final = (_flips, _cuts, _lengths, _edits, _edits)


# ------------------------------------------------------------------------------------------------------------- readers
def _checkpoint(damage: Damage) -> None:
    """Read the weights of a round: those that were written, or none."""
    written = _tensors()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "weights.safetensors")
        shutil.copy(_whole() / "weights.safetensors", path)
        _rewrite(path, damage)
        read = read_weights(path, digest=weights_digest(written))
        assert read is None or all(torch.equal(read[name], tensor) for name, tensor in written.items())
        assert (read is None) is (path.with_name("weights.safetensors.damaged").exists())


def _folder(damage: Damage) -> None:
    """Read the headers of a folder with one file."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(_whole() / "folder" / _WEIGHTS, place)
        _rewrite(Path(place, _WEIGHTS), damage)
        stored_dtype(Path(place))


def _sharded(damage: Damage) -> None:
    """Read the headers of a folder in shards."""
    _read_sharded(_SHARDS[0], damage)


def _index(damage: Damage) -> None:
    """Read the index of shards."""
    _read_sharded(_INDEX, damage)


def _read_sharded(damaged: str, damage: Damage) -> None:
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(_whole() / "sharded", place, dirs_exist_ok=True)
        _rewrite(Path(place, damaged), damage)
        stored_dtype(Path(place))


def _model(damage: Damage) -> None:
    """Load a UNet as searches do: with the shapes of its config, or not at all."""
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(_whole() / "unet", place, dirs_exist_ok=True)
        _rewrite(Path(place, _WEIGHTS), damage)
        load_unet(Path(place))


def _rewrite(path: Path, damage: Damage) -> None:
    path.write_bytes(damage(path.read_bytes()))


@cache
def _tensors() -> dict[str, torch.Tensor]:
    return {"a": torch.arange(6.0).reshape(3, 2), "b": torch.arange(4), "c": torch.ones(2, 3).half()}


@cache
def _whole() -> Path:
    """Undamaged files, made once a process."""
    folder = Path(tempfile.mkdtemp(prefix="whole-"))
    write_weights(folder / "weights.safetensors", _tensors(), digest=weights_digest(_tensors()))
    (folder / "folder").mkdir()
    save_file(_tensors(), folder / "folder" / _WEIGHTS)
    (folder / "sharded").mkdir()
    for name, shard in zip(_tensors(), _SHARDS, strict=False):
        save_file({name: _tensors()[name]}, folder / "sharded" / shard)
    index = {"metadata": {"total_size": 56}, "weight_map": dict(zip(_tensors(), _SHARDS, strict=False))}
    (folder / "sharded" / _INDEX).write_text(json.dumps(index))
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=8,
        norm_num_groups=4,
        attention_head_dim=2,
    ).save_pretrained(folder / "unet")
    return folder
