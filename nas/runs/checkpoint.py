"""Checkpoints: a round's architecture and weights in one folder, with a digest that tells whether they are sound.

round-003/architecture.json weights.safetensors
"""

import hashlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from search_spaces.architecture import Architecture
from search_spaces.files.durable import set_aside, whole

_DIGEST: Final = "weights_digest"  # in the weights' own header


class CheckpointWarning(UserWarning):
    """A damaged checkpoint was set aside."""


def write_checkpoint(folder: Path, /, *, architecture: Architecture, weights: Mapping[str, torch.Tensor]) -> None:
    """Write a checkpoint; the folder appears whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    tensors = _apart(weights)
    with whole(folder) as part:
        part.mkdir()
        (part / "architecture.json").write_text(architecture.to_json() + "\n", encoding="utf-8")
        save_file(tensors, part / "weights.safetensors", metadata={_DIGEST: weights_digest(tensors)})


def _apart(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights in memory; copied only where one shares it with another, which safetensors does not take."""
    tensors, seen = {}, set[int]()
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        where = plain.untyped_storage().data_ptr()
        tensors[name] = plain.clone() if where in seen else plain
        seen.add(where)
    return tensors


def read_checkpoint(folder: Path, /) -> dict[str, torch.Tensor] | None:
    """The weights of a checkpoint, bit for bit; None when there is none.

    Warns:
        CheckpointWarning: There was one, but it is damaged; it was set aside.
    """
    if not folder.is_dir():
        return None
    try:
        with safe_open(folder / "weights.safetensors", framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            expected = (file.metadata() or {}).get(_DIGEST)
    except (SafetensorError, FileNotFoundError) as error:
        reason = str(error)
    else:
        if weights_digest(weights) == expected:
            return weights
        reason = "not the weights that were written"
    aside = set_aside(folder)
    warnings.warn(
        f"{folder} is damaged ({reason}): moved to {aside.name}, to be trained again when the search goes on",
        CheckpointWarning,
        stacklevel=2,
    )
    return None


def weights_digest(weights: Mapping[str, torch.Tensor], /) -> str:
    """Digest of weights by name, type and bits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode() + b"\0" + str(tensor.dtype).encode() + b"\0")
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
