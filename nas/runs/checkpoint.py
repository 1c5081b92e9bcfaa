"""Checkpoints: a round's architecture and weights in one folder, which say what they belong to and that they are sound.

    round-003/architecture.json weights.safetensors

The weights' header holds their digest, their origin (round and job, digests of what they were trained from), and a seal
over these and over every tensor's name, type and shape. All stands in one text, since safetensors writes the entries of
a header in any order, and equal searches write equal files. Checkpoints of 0.1.0 hold the digest alone.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.writing import set_aside, whole
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.user_error import UserError

_SELF: Final = "checkpoint"  # in the weights' own header: a JSON object
_DIGEST: Final = "weights_digest"
_SEAL: Final = "seal"


class CheckpointError(UserError):
    """A sound checkpoint, but of other weights than those that are asked for."""


class CheckpointWarning(UserWarning):
    """A damaged checkpoint, or one that belongs elsewhere, was set aside."""


def write_checkpoint(
    folder: Path,
    /,
    *,
    architecture: Architecture,
    weights: Mapping[str, torch.Tensor],
    origin: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Args:
        folder: Where.
        architecture: What was trained.
        weights: By name.
        origin: What they belong to and what they were made from, by name.

    Raises:
        StorageError: The disk refuses.
    """
    tensors = _apart(weights)
    header = {**origin, _DIGEST: weights_digest(tensors)}
    header[_SEAL] = _seal(header, tensors)
    with whole(folder) as part:
        part.mkdir()
        (part / "architecture.json").write_text(architecture.to_json() + "\n", encoding="utf-8")
        save_file(tensors, part / "weights.safetensors", metadata={_SELF: json.dumps(header, sort_keys=True)})


def _apart(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights in memory; copied only where one shares it with another, which safetensors does not take."""
    tensors, seen = {}, set[int]()
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        where = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if where in seen else plain
        seen.add(where)
    return tensors


def read_checkpoint(
    folder: Path, /, *, origin: Mapping[str, str] = MappingProxyType({}), digest: str | None = None
) -> dict[str, torch.Tensor] | None:
    """The weights of a checkpoint, bit for bit; None when there is none.

    Args:
        folder: Where it stands.
        origin: What it must say of its origin, as far as it says anything of it.
        digest: Which weights they must be; None = any.

    Raises:
        CheckpointError: They are sound, but others than `digest`.

    Warns:
        CheckpointWarning: There was one, but it is damaged or of another origin; it was set aside.
    """
    if not folder.is_dir():
        return None
    try:
        with safe_open(folder / "weights.safetensors", framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            header = _header(file.metadata() or {})
    except (SafetensorError, FileNotFoundError, JsonError) as error:
        reason = str(error)
    else:
        reason = _flaw(weights, header, origin)
        if not reason:
            if digest is not None and header[_DIGEST] != digest:
                raise CheckpointError(
                    f"{folder} must hold the weights {digest}, but holds {header[_DIGEST]}; restore them, or delete "
                    "the folder and run the search's own command, which trains them again"
                )
            return weights
    aside = set_aside(folder)
    warnings.warn(
        f"{folder} is damaged ({reason}): moved to {aside.name}, to be trained again when the search goes on",
        CheckpointWarning,
        stacklevel=3,
    )
    return None


def _header(metadata: Mapping[str, str]) -> dict[str, str]:
    """What a checkpoint says of itself."""
    if _SELF not in metadata:
        return dict(metadata)
    header = parse_json(metadata[_SELF])
    if not isinstance(header, dict):
        raise JsonError(f"must say what it is in an object, but says {header!r:.80}")
    return header


def _flaw(weights: Mapping[str, torch.Tensor], header: Mapping[str, str], origin: Mapping[str, str]) -> str:
    """What is wrong with weights and their header; "" for nothing."""
    if weights_digest(weights) != header.get(_DIGEST):
        return "not the weights that were written"
    if _SEAL in header and header[_SEAL] != _seal(header, weights):
        return "not the shapes or the origin that were written"
    wrong = [
        f"{name} is {header[name]}, not {wanted}"
        for name, wanted in origin.items()
        if header.get(name) not in (None, wanted)
    ]
    return f"of another origin: {', '.join(wrong)}" if wrong else ""


def _seal(header: Mapping[str, str], weights: Mapping[str, torch.Tensor]) -> str:
    layout = {name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in weights.items()}
    return digest_of({"header": {name: header[name] for name in header if name != _SEAL}, "layout": layout})


def weights_digest(weights: Mapping[str, torch.Tensor], /) -> str:
    """Digest of weights by name, type and bits; shapes are sealed apart, so that it stays what it was in 0.1.0."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode() + b"\0" + str(tensor.dtype).encode() + b"\0")
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
