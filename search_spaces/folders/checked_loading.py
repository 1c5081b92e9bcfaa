"""Weights into diffusers models: every tensor of the config is there, of its shape, or nothing is loaded.

diffusers itself leaves absent tensors empty and ignores stray ones; here both are errors that name them.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import torch
from diffusers import ModelMixin
from diffusers.models.modeling_utils import no_init_weights

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
    with faults_told(folder):
        model: M = model_class.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=dtype or torch.float32,
            variant=variant,
            local_files_only=True,
        )
    model.eval()
    check_finite(model, folder)
    return model


@contextmanager
def without_weights() -> Iterator[None]:
    """Build modules whose tensors have shapes and no numbers; drawing those too would take half as long again."""
    with no_init_weights(), torch.device("meta"):
        yield


@contextmanager
def faults_told(folder: Path, /, *, what: str = "a model that can be built") -> Iterator[None]:
    """Turn whatever a library raises on a folder into an error that names it: the library reads nothing else.

    Args:
        folder: What is read.
        what: It must hold.

    Raises:
        ModelFolderError: In place of any error but those of the disk and of memory.
    """
    try:
        yield
    except (ModelFolderError, MemoryError):
        raise
    except BaseException as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk; libraries raise others without
            raise
        # Libraries in Rust end what they did not foresee by an exception that is not even an `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelFolderError(
            f"{folder} must hold {what}, but it cannot be read ({in_a_line(error)}); restore the folder from where it "
            "came"
        ) from error


def in_a_line(error: BaseException, /) -> str:
    """What a library says of a fault: kind and last line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()[:300]}" if lines else type(error).__name__


def check_finite(model: torch.nn.Module, folder: Path, /) -> None:
    """Check that every weight of a model is a finite number: one that is not makes every picture black or noise.

    Raises:
        ModelFolderError: One is not; the message names tensor and type.
    """
    wrong = [
        name
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point() and not tensor.is_meta and not tensor.isfinite().all()
    ]
    if wrong:
        dtype = str(model.state_dict()[wrong[0]].dtype).removeprefix("torch.")
        raise ModelFolderError(
            f"the weights in {folder} must be finite numbers, but {_counted(wrong)} "
            f"{'holds' if len(wrong) == 1 else 'hold'} NaN or infinity in {dtype}; restore the folder from where it "
            "came, or load it in a wider type"
        )


def check_tensors(model_class: type[ModelMixin], folder: Path, /, *, variant: str | None) -> None:
    """Check by the files' headers that a folder holds exactly the tensors that its config asks for.

    Raises:
        ModelFolderError: It does not; the message names what is absent, stray or of another shape.
    """
    stored = {_today(name): tensor for name, tensor in stored_tensors(folder, variant=variant).items()}
    with faults_told(folder), without_weights():
        model = model_class.from_config(model_class.load_config(folder, local_files_only=True))
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if wrong := faults(wanted, stored):
        raise ModelFolderError(
            f"the weights in {folder} must be those of its config.json, but {'; '.join(wrong)}; {remedy(stored)}"
        )


# How a module that wraps a model names its weights, and how to save the model itself.
_WRAPPERS: Final = {
    "_orig_mod.": "these are a compiled model's: save `model._orig_mod`",
    "module.": "these are a model's in DataParallel: save `model.module`",
    "_fsdp_wrapped_module.": "these are a sharded model's: save its full state dict",
    "base_model.model.": "these are a PEFT model's: save `model.merge_and_unload()`",
    "model.diffusion_model.": "these are a single-file checkpoint's: `nas convert` makes a folder of it",
}
_ADAPTERS: Final = re.compile(r"lora_|base_layer|hada_w|lokr|\boft\b|dora_scale", re.IGNORECASE)


def remedy(names: Collection[str], /) -> str:
    """What helps where stored names are not a model's: what a prefix or an adapter's layers show, if they do."""
    for prefix, words in _WRAPPERS.items():
        if names and all(name.startswith(prefix) for name in names):
            return f"all names begin with `{prefix}`: {words}"
    if layers := [name for name in names if _ADAPTERS.search(name)]:
        return (
            f"{len(layers)} belong to LoRA or another adapter, such as {layers[0]}: fuse it into the model "
            "(`pipeline.fuse_lora()`, or `merge_and_unload()` of PEFT) and save again"
        )
    return "restore the folder from where it came"


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
    return [_counted(names, verb=what if len(names) > 1 else _singular(what)) for what, names in kinds if names]


def _counted(names: list[str], *, verb: str = "") -> str:
    """How many tensors, and the first of them."""
    noun = "tensors" if len(names) > 1 else "tensor"
    first = f"({', '.join(names[:_NUM_NAMED])}{', ...' if len(names) > _NUM_NAMED else ''})"
    return " ".join(filter(None, (str(len(names)), noun, verb, first)))


def _singular(what: str) -> str:
    return what.replace("are ", "is ").replace("have ", "has ")


def _today(name: str) -> str:
    """A tensor's name as today's diffusers has it."""
    found = _FORMER_NAME.fullmatch(name)
    return f"{found[1]}.{_FORMER[found[2]]}.{found[3]}" if found else name
