"""Weights into diffusers models: every tensor of the config is there, of its shape, or nothing is loaded.

diffusers itself leaves absent tensors empty and ignores stray ones; here both are errors that name them.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import torch
from diffusers import ModelMixin

from search_spaces.folders.weight_files import ModelFolderError, StoredTensor, stored_tensors

M = TypeVar("M", bound=ModelMixin)

_NUM_NAMED: Final = 3  # tensors that a message names of each kind of fault
# Names that autoencoders' attention had before diffusers 0.15; diffusers translates them when it loads.
_FORMER: Final = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_FORMER_NAME: Final = re.compile(rf"(.*mid_block\.attentions\.\d+)\.({'|'.join(_FORMER)})\.(weight|bias)")


def load_model(model_class: type[M], folder: Path, /, *, dtype: torch.dtype | None, variant: str | None) -> M:
    """A diffusers model in evaluation mode.

    Weights that keep their type are mapped from the file, so that loading holds one copy of them at most.

    Args:
        model_class: What the folder's config describes.
        folder: With `config.json` and safetensors.
        dtype: Of the weights; None = float32.
        variant: Of the weights' files.

    Raises:
        ModelFolderError: Absent, damaged or foreign weights; the message names all of them.
    """
    check_tensors(model_class, folder, variant=variant)
    model: M = model_class.from_pretrained(
        folder, use_safetensors=True, dtype=dtype or torch.float32, variant=variant, local_files_only=True
    )
    model.eval()
    return model


def check_tensors(model_class: type[ModelMixin], folder: Path, /, *, variant: str | None) -> None:
    """Check by the files' headers that a folder holds exactly the tensors that its config asks for.

    Raises:
        ModelFolderError: It does not; the message names what is absent, stray or of another shape.
    """
    stored = {_today(name): tensor for name, tensor in stored_tensors(folder, variant=variant).items()}
    with torch.device("meta"):
        model = model_class.from_config(model_class.load_config(folder, local_files_only=True))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if wrong := faults(wanted, stored):
        raise ModelFolderError(
            f"the weights in {folder} must be those of its config.json, but {'; '.join(wrong)}; "
            "restore the folder from where it came"
        )


def faults(wanted: Mapping[str, tuple[int, ...]], stored: Mapping[str, StoredTensor], /) -> list[str]:
    """How stored tensors differ from the names and shapes that a model wants."""
    other_shapes = [
        f"{name} is {list(stored[name].shape)} and must be {list(shape)}"
        for name, shape in wanted.items()
        if name in stored and stored[name].shape != shape
    ]
    kinds = (
        ("are absent", [name for name in wanted if name not in stored]),
        ("are not the model's", [name for name in stored if name not in wanted]),
        ("have another shape", other_shapes),
    )
    return [
        f"{len(names)} {'tensors' if len(names) > 1 else 'tensor'} {what if len(names) > 1 else _singular(what)} "
        f"({', '.join(names[:_NUM_NAMED])}{', ...' if len(names) > _NUM_NAMED else ''})"
        for what, names in kinds
        if names
    ]


def _singular(what: str) -> str:
    return what.replace("are ", "is ").replace("have ", "has ")


def _today(name: str) -> str:
    """A tensor's name as today's diffusers has it."""
    found = _FORMER_NAME.fullmatch(name)
    return f"{found[1]}.{_FORMER[found[2]]}.{found[3]}" if found else name
