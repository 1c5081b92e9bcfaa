"""ModelFolder: a pipeline folder that was found complete, with the variant of its weights: one value for the pair.

Importing this module imports no torch; loading the UNet does.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nas.pipelines.index import INDEX, SCHEDULER_CONFIG, PipelineIndex, check_pipeline_folder, read_part_config
from search_spaces.files.digests import files_digest
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.folders.tokenizer_files import TOKENIZER_FILES
from search_spaces.folders.weight_files import model_files
from search_spaces.known.bundled import folder_name

if TYPE_CHECKING:
    import torch
    from diffusers import UNet2DConditionModel


_LATENTS: Final[Mapping[str, Any]] = {  # with diffusers' own defaults
    "latent_channels": 4,
    "scaling_factor": 0.18215,
    "shift_factor": None,
    "latents_mean": None,
    "latents_std": None,
}


def differing_latents(one: "ModelFolder", other: "ModelFolder", /) -> str:
    """How the latents of two models differ, such as "`scaling_factor` 0.13025 instead of 0.18215"; "" = not at all."""
    own, theirs = one.latents(), other.latents()
    return ", ".join(f"`{key}` {own[key]} instead of {theirs[key]}" for key in own if own[key] != theirs[key])


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A complete folder of a `StableDiffusionPipeline` or a `StableDiffusionXLPipeline`.

    It is checked once, at birth: index, configs, names of the weights' files. It travels between processes as it is, so
    that a worker does not check again; weights are checked when they are loaded.

    Attributes:
        path: The folder.
        variant: Of the weights' files, such as "fp16"; None = the files without one.
        name: What the model is called; "" = as its folder, or by the name of what is bundled.
        index: What the folder says of itself.

    Raises:
        ModelFolderError: Not such a folder; the message names all that is missing or not supported.
    """

    path: Path
    _: KW_ONLY
    variant: str | None = None
    name: str = ""
    index: PipelineIndex = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", check_pipeline_folder(self.path, variant=self.variant))
        object.__setattr__(self, "name", self.name or folder_name(self.path))

    def part(self, name: str, /) -> Path:
        """The folder of a part, such as "vae"."""
        assert name in self.index.parts, name
        return self.path / name

    def part_config(self, name: str, /) -> dict[str, Any]:
        """The config of a part other than the UNet.

        Raises:
            ModelFolderError: It is not a JSON object.
        """
        return read_part_config(self.path, name)

    def latents(self) -> dict[str, Any]:
        """What the VAE's config says of its latents: a UNet or a decoder of others makes pictures that are wrong.

        Raises:
            ModelFolderError: It is not a JSON object.
        """
        config = self.part_config("vae")
        facts = {key: config.get(key, default) for key, default in _LATENTS.items()}
        return facts | {"num_stages": len(config.get("block_out_channels", (64,)))}

    def unet_config(self) -> dict[str, Any]:
        """The config of the UNet.

        Raises:
            ModelFolderError: It is no UNet's.
        """
        return read_unet_config(self.path)

    def part_files(self, name: str, /) -> list[Path]:
        """All files that loading a part reads; others beside them (notes, other variants) are not the model.

        Raises:
            ModelFolderError: Its weights are not there.
        """
        folder = self.part(name)
        if name in self.index.models:
            return model_files(folder, variant=self.variant)
        names = TOKENIZER_FILES if name.startswith("tokenizer") else (SCHEDULER_CONFIG,)
        return [path for each in names if (path := folder / each).is_file()]

    def part_digests(self, *kinds: str) -> dict[str, str]:
        """Digests of all that loading parts reads, by part: of those parts whose names begin with one of some words.

        Raises:
            ModelFolderError: The weights of one are not there.
        """
        parts = [part for part in self.index.parts if part.startswith(kinds)]
        return {part: files_digest(self.part_files(part), folder=self.part(part)) for part in parts}

    def files(self) -> list[Path]:
        """All files that loading the model reads."""
        return [self.path / INDEX, *(path for part in self.index.parts for path in self.part_files(part))]

    def digest(self, *, known: dict[Path, bytes] | None = None) -> str:
        """Digest of all that loading it reads; see `files_digest`."""
        return files_digest(self.files(), folder=self.path, known=known)

    def load_unet(self, *, dtype: "torch.dtype | None" = None) -> "UNet2DConditionModel":
        """The UNet in evaluation mode; every tensor of its config, or nothing.

        Args:
            dtype: Of the weights; None = float32.

        Raises:
            ModelFolderError: Its weights are absent, damaged or another UNet's.
        """
        return load_unet(self.path, dtype=dtype, variant=self.variant)
