"""Loading a UNet from a folder: a diffusers pipeline folder, or the UNet folder in it; safetensors only.

Importing this module does not import torch; `load_unet` does.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from search_spaces.files.config_laws import whole
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.folders.part_laws import read_unet_settings
from search_spaces.folders.weight_files import ModelFolderError

if TYPE_CHECKING:
    import torch
    from diffusers import UNet2DConditionModel

__all__ = [
    "PLAIN",
    "SEARCHED",
    "ModelFolderError",
    "load_unet",
    "read_context_tokens",
    "read_unet_config",
    "unet_class",
    "unet_folder",
]

PLAIN: Final = "UNet2DConditionModel"
MAX_TOKENS: Final = 1_000_000  # of a text; tokenizers without a limit say 1e30
SEARCHED: Final = "SearchedUNet"  # ours: a UNet whose blocks were removed and copied


def unet_folder(folder: Path, /) -> Path:
    """The folder with the UNet's `config.json`: `folder` itself, or `unet` in it.

    Raises:
        ModelFolderError: Neither holds one.
    """
    if not folder.is_dir():
        raise ModelFolderError(
            f"there is no model folder {folder}; give a diffusers pipeline folder or its `unet` folder"
        )
    for candidate in (folder / "unet", folder):
        if (candidate / "config.json").is_file():
            return candidate
    raise ModelFolderError(
        f"a model folder must hold `unet/config.json` or `config.json`, but {folder} has neither; "
        "give a diffusers pipeline folder or its `unet` folder"
    )


def read_unet_config(folder: Path, /) -> dict[str, Any]:
    """The content of a UNet's `config.json`, without loading weights.

    Raises:
        ModelFolderError: No such folder, no config, or the config of something else; the message names every setting
            that is wrong.
    """
    path = unet_folder(folder) / "config.json"
    config = read_unet_settings(path, searched=SEARCHED)
    name = config.get("_class_name")
    if name not in (PLAIN, SEARCHED):
        raise ModelFolderError(f"`_class_name` in {path} must be {PLAIN} or {SEARCHED}, but got {name!r}")
    return config


def load_unet(
    folder: Path, /, *, dtype: "torch.dtype | None" = None, variant: str | None = None, name: str | None = None
) -> "UNet2DConditionModel":
    """Load a UNet, in evaluation mode; every tensor of its config, or nothing.

    Args:
        folder: A diffusers pipeline folder or its `unet` folder.
        dtype: Of the weights; None = float32.
        variant: Of the weights' files, such as "fp16"; None = the files without one.
        name: Of one of several architectures that share the folder's weights; None = the folder's own UNet.

    Raises:
        ModelFolderError: The folder holds no architecture of that name, or no UNet with whole and fitting safetensors
            weights of that variant.
    """
    path = unet_folder(folder)
    from search_spaces.folders.checked_loading import load_model

    unet = load_model(unet_class(folder), path, dtype=dtype, variant=variant)
    if name is None:
        return unet
    from search_spaces.folders.named import cut_out

    return cut_out(unet, path, name=name)


def unet_class(folder: Path, /) -> "type[UNet2DConditionModel]":
    """The class that a folder's config names; torch is imported here and not before.

    Raises:
        ModelFolderError: As `read_unet_config`.
    """
    if read_unet_config(folder)["_class_name"] == SEARCHED:
        from search_spaces.searched_unet import SearchedUNet

        searched: type[UNet2DConditionModel] = SearchedUNet
        return searched
    from diffusers import UNet2DConditionModel as Unet

    plain: type[UNet2DConditionModel] = Unet
    return plain


def read_context_tokens(folder: Path, /) -> int | None:
    """Text tokens that a pipeline's UNet reads: its tokenizer's `model_max_length`; None where it has no tokenizer.

    The `unet` folder of a pipeline stands for the pipeline.

    Raises:
        ModelFolderError: The tokenizer's config cannot be read or states no limit.
    """
    of_unet = folder.name == "unet" and (folder / "config.json").is_file()  # the pipeline is the folder around it
    path = (folder.resolve().parent if of_unet else folder) / "tokenizer" / "tokenizer_config.json"
    if not path.is_file():
        return None
    try:
        tokens = read_json_object(path).get("model_max_length")
    except JsonError as error:
        raise ModelFolderError(str(error)) from error
    if not whole(1, MAX_TOKENS).holds(tokens):
        raise ModelFolderError(f"`model_max_length` in {path} must be a number of tokens, but got {tokens!r:.50}")
    assert isinstance(tokens, int)
    return tokens
