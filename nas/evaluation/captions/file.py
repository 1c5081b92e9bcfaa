"""A chunk's conditioning in a safetensors file that says what it was made from, sealed by a digest of its numbers."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from search_spaces.files.durable.writing import whole
from search_spaces.files.user_error import UserError

SUFFIX: Final = ".safetensors"
_TOLD: Final = "made_from, seal"  # one entry, since a file of several has them in any order
_TENSORS: Final = ("embeddings", "pooled", "time_ids")


class CaptionFileError(UserError):
    """A file of embedded captions that is damaged, or of other captions."""


def write_captions(path: Path, text: Conditioning, /, *, made_from: str) -> None:
    """Write a conditioning, whole or not at all.

    Args:
        path: Where.
        text: The conditioning.
        made_from: Digest of captions, text encoders and machine.

    Raises:
        CaptionFileError: Some of its numbers are not finite.
        StorageError: The disk refuses.
    """
    found = {name: getattr(text, name) for name in _TENSORS}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in found.items() if tensor is not None}
    if odd := [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]:
        raise CaptionFileError(
            f"embedded captions must be finite numbers, but their {', '.join(odd)} are not; "
            "the text encoder overflows: restore its weights from where they came"
        )
    with whole(path) as part:
        save_file(tensors, part, metadata={_TOLD: f"{made_from}, {_seal(tensors)}"})


def read_captions(path: Path, /, *, made_from: str) -> Conditioning:
    """Read a conditioning into memory of its own.

    Args:
        path: Where it stands.
        made_from: What it must be made from.

    Raises:
        FileNotFoundError: There is none.
        CaptionFileError: It is damaged, or made from something else.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told, _, seal = (file.metadata() or {}).get(_TOLD, "nothing").partition(", ")
            # Copied, since what is mapped would change with the file; `file` is no mapping, whatever it offers.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise
    except (SafetensorError, OSError) as error:
        raise CaptionFileError(f"{path} must hold embedded captions, but cannot be read ({error})") from error
    if told != made_from:
        raise CaptionFileError(f"{path} must be made from {made_from}, but says {told}")
    if seal != _seal(tensors):
        raise CaptionFileError(f"{path} must hold the numbers that were written to it, but holds others")
    return Conditioning(**tensors)


def _seal(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.view(torch.uint8).numpy().data)
    return digest.hexdigest()
