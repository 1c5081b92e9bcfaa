"""Weights on disk by content: `weights/<digest>.safetensors`, each written once, whichever rounds name it.

A file's header holds its digest and a seal over every tensor's name, type and shape, all in one text, since safetensors
writes the entries of a header in any order, and equal searches write equal files. Checkpoints of 0.1.0 hold their own
weights, whose header says what they belong to as well.
"""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from search_spaces.files.digests import digest_of
from search_spaces.files.durable.writing import set_aside, whole
from search_spaces.files.strict_json import JsonError, parse_json

_SELF: Final = "checkpoint"  # in the header: a JSON object
DIGEST: Final = "weights_digest"
_SEAL: Final = "seal"


class CheckpointWarning(UserWarning):
    """A damaged checkpoint, or one that belongs elsewhere, was set aside."""


def write_weights(path: Path, weights: Mapping[str, torch.Tensor], /, *, digest: str) -> None:
    """Write weights; the file appears whole or not at all.

    Args:
        path: Where.
        weights: By name.
        digest: Of them.

    Raises:
        StorageError: The disk refuses.
    """
    tensors = _apart(weights)
    header = {DIGEST: digest}
    header[_SEAL] = _seal(header, tensors)
    with whole(path) as part:
        save_file(tensors, part, metadata={_SELF: json.dumps(header, sort_keys=True)})


def _apart(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights in memory; copied only where one shares it with another, which safetensors does not take."""
    tensors, seen = {}, set[int]()
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        where = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if where in seen else plain
        seen.add(where)
    return tensors


def read_weights(path: Path, /, *, digest: str) -> dict[str, torch.Tensor] | None:
    """Weights, bit for bit; None when there are none.

    Args:
        path: Where they stand.
        digest: Which they must be.

    Warns:
        CheckpointWarning: There is a file, but it is damaged, or holds others; it was set aside.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            header = _header(file.metadata() or {})
    except (SafetensorError, OSError, JsonError) as error:
        reason = str(error)
    else:
        reason = _flaw(weights, header, digest)
        if not reason:
            return weights
    put_aside(path, reason)
    return None


def put_aside(path: Path, reason: str, /) -> None:
    """Move what is damaged out of the way, and say so.

    Warns:
        CheckpointWarning: Always.
    """
    aside = set_aside(path)
    warnings.warn(
        f"{path} is damaged ({reason}): moved to {aside.name}, to be trained again when the search goes on",
        CheckpointWarning,
        stacklevel=4,
    )


def read_header(path: Path, /) -> dict[str, str]:
    """What a file of weights says of itself.

    Raises:
        JsonError: It says nothing that can be read.
        SafetensorError: It is none.
        OSError: It cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        return _header(file.metadata() or {})


def _header(metadata: Mapping[str, str]) -> dict[str, str]:
    if _SELF not in metadata:
        return dict(metadata)
    header = parse_json(metadata[_SELF])
    if not isinstance(header, dict):
        raise JsonError(f"must say what it is in an object, but says {header!r:.80}")
    return header


def _flaw(weights: Mapping[str, torch.Tensor], header: Mapping[str, str], digest: str) -> str:
    """What is wrong with weights and their header; "" for nothing."""
    if weights_digest(weights) != header.get(DIGEST):
        return "not the weights that were written"
    if _SEAL in header and header[_SEAL] != _seal(header, weights):
        return "not the shapes or the origin that were written"
    if header[DIGEST] != digest:
        return f"the weights {header[DIGEST]} instead of {digest}"
    return ""


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
