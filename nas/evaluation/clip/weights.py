"""Weights of a CLIP model that OpenCLIP knows by name: a tag or a file, found as safetensors on this machine.

A tag is fetched from the hub, since it was asked for; what has no safetensors there is refused.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, Final

import open_clip

from nas.evaluation.settings import is_tag
from search_spaces.files.user_error import UserError
from search_spaces.folders.weight_files import read_header

_DEFAULT: Final = "open_clip_model.safetensors"  # of a repository whose tag names no file
_PICKLES: Final = (".bin", ".pth", ".pt")
_PREPROCESS: Final = ("mean", "std", "interpolation", "resize_mode", "size", "fill_color")
_REMEDY: Final = "download a folder with open_clip_config.json and safetensors, and give it as `clip.model`"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipWeights:
    """What a name and `pretrained` mean.

    Attributes:
        name: OpenCLIP's of the model.
        file: Safetensors on this machine; None = `repository` has them.
        repository: Of the hub, and the file in it.
        preprocess: How pictures are prepared otherwise than OpenCLIP does by default.
    """

    name: str
    file: Path | None
    repository: tuple[str, str]
    preprocess: dict[str, Any]

    def found(self) -> Path:
        """The file on this machine, fetched if need be, its header checked.

        Raises:
            ValueError: It cannot be fetched, or is damaged.
        """
        path = self.file or self._fetched()
        read_header(path)
        return path

    def _fetched(self) -> Path:
        from huggingface_hub import errors, hf_hub_download

        folder, name = self.repository
        try:
            try:
                return Path(hf_hub_download(folder, name, local_files_only=True))
            except errors.LocalEntryNotFoundError:
                return Path(hf_hub_download(folder, name))
        except (OSError, ValueError) as error:  # the hub's own errors are of these kinds
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(
                f"the weights of `clip` must be safetensors that are here or can be fetched, but {name} of {folder} is "
                f"not in the local cache and cannot be ({first}); connect to the network, or {_REMEDY}"
            ) from error


def clip_weights(name: str, /, *, pretrained: str) -> ClipWeights:
    """What a name and a tag or file mean; looks nothing up but OpenCLIP's own lists and whether a file is there.

    Args:
        name: OpenCLIP's of the model, such as "ViT-g-14".
        pretrained: OpenCLIP's tag, or the path of a safetensors file.

    Raises:
        ValueError: No such model, tag or file, or one whose weights or tokenizer are not to be had safely.
    """
    if name not in (models := open_clip.list_models()):
        raise UserError(
            f"`clip.model` must be one of OpenCLIP's {len(models)} models where `clip.pretrained` is given, but got "
            f"{name!r}{_close(name, models)}"
        )
    config = open_clip.get_model_config(name)
    if elsewhere := [key for key in ("hf_model_name", "hf_tokenizer_name") if config["text_cfg"].get(key)]:
        raise UserError(
            f"`clip.model` must be a model whose parts OpenCLIP has itself, but {name} takes its text tower or "
            f"tokenizer from the hub (`{elsewhere[0]}`); {_REMEDY}"
        )
    if not is_tag(pretrained):
        path = Path(pretrained)
        if path.suffix != ".safetensors" or not path.is_file():
            raise UserError(
                f"`clip.pretrained` must be a tag or an existing .safetensors file, but got {pretrained!r}; pickles "
                "are never opened"
            )
        return ClipWeights(name=name, file=path, repository=("", ""), preprocess={})
    tags = open_clip.list_pretrained_tags_by_model(name)
    found = open_clip.get_pretrained_cfg(name, pretrained)
    if not found:
        raise UserError(
            f"`clip.pretrained` must be one of {name}'s tags {', '.join(tags) or '(none)'}, or a safetensors file, but "
            f"got {pretrained!r}{_close(pretrained, tags)}"
        )
    if bool(found.get("quick_gelu")) != bool(config.get("quick_gelu")):
        right = name.removesuffix("-quickgelu") if config.get("quick_gelu") else f"{name}-quickgelu"
        raise UserError(
            f"{name} must have the activation that the weights of {pretrained!r} were trained with, but has another; "
            f"give `clip.model` {right}"
        )
    folder, _, file = found.get("hf_hub", "").rpartition("/")
    if not folder or (file and PurePosixPath(file).suffix not in (*_PICKLES, ".safetensors")):
        raise UserError(
            f"`clip.pretrained` must be a tag whose weights the hub has as safetensors, but those of {name} "
            f"{pretrained!r} are a pickle; {_REMEDY}"
        )
    file = str(PurePosixPath(file).with_suffix(".safetensors")) if file else _DEFAULT
    if file == "open_clip_pytorch_model.safetensors":
        file = _DEFAULT
    preprocess = {key: found[key] for key in _PREPROCESS if found.get(key) is not None}
    return ClipWeights(name=name, file=None, repository=(folder, file), preprocess=preprocess)


def _close(given: str, known: list[str]) -> str:
    """The nearest of what there is."""
    near = get_close_matches(given, known, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
