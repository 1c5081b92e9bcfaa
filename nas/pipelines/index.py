"""What a pipeline folder says of itself: which diffusers pipeline it is, of which parts, and are they there?

Reads `model_index.json` and file names only; loads no weight and imports no torch.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from search_spaces.files.config_laws import config_faults
from search_spaces.folders.loading import PLAIN, SEARCHED, ModelFolderError, read_unet_config
from search_spaces.folders.part_laws import (
    INDEX_LAWS,
    read_config,
    read_scheduler_config,
    read_text_encoder_config,
    read_vae_config,
)
from search_spaces.folders.tokenizer_files import CLIP_TOKENIZERS, CONFIG, check_tokenizer
from search_spaces.folders.weight_files import weight_files


class PipelineClass(StrEnum):
    """diffusers pipelines that are supported."""

    SD = "StableDiffusionPipeline"
    SDXL = "StableDiffusionXLPipeline"


# Classes that each part may be of; other parts (safety checker, feature extractor, image encoder) are never loaded.
_SD_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "vae": ("AutoencoderKL",),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": CLIP_TOKENIZERS,
    "scheduler": (),  # any of diffusers'
    "unet": (PLAIN, SEARCHED),
}
CLASSES: Final[dict[PipelineClass, dict[str, tuple[str, ...]]]] = {
    PipelineClass.SD: _SD_CLASSES,
    PipelineClass.SDXL: _SD_CLASSES
    | {"text_encoder_2": ("CLIPTextModelWithProjection",), "tokenizer_2": CLIP_TOKENIZERS},
}
# Modules that diffusers imports for them.
_LIBRARIES: Final = {
    "vae": ("diffusers",),
    "unet": ("diffusers", "search_spaces.searched_unet"),
    "scheduler": ("diffusers",),
}
INDEX: Final = "model_index.json"
SCHEDULER_CONFIG: Final = "scheduler_config.json"
_CONFIGS: Final = {"tokenizer": CONFIG, "tokenizer_2": CONFIG, "scheduler": SCHEDULER_CONFIG}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineIndex:
    """A supported pipeline folder.

    Attributes:
        pipeline_class: Which diffusers pipeline it is.
        scheduler: Class name of its own scheduler.
        zero_empty_prompt: Whether no text is embedded as zeros, as SDXL was trained; else as the empty caption.
    """

    pipeline_class: PipelineClass
    scheduler: str
    zero_empty_prompt: bool

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the sub-folders that make the pipeline."""
        return tuple(CLASSES[self.pipeline_class])

    @property
    def models(self) -> tuple[str, ...]:
        """Those of them with weights."""
        return tuple(part for part in self.parts if part not in _CONFIGS)

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """Those of them that read text, in the order in which their embeddings stand side by side."""
        return tuple(part for part in self.parts if part.startswith("text_encoder"))


def read_pipeline_index(folder: Path, /) -> PipelineIndex:
    """Read and check a folder's `model_index.json`.

    Raises:
        ModelFolderError: No such folder, not an index, or classes that are not supported; the message names all.
    """
    if not folder.is_dir():
        raise ModelFolderError(
            f"there is no model folder {folder}; give the folder of a diffusers {' or '.join(PipelineClass)}"
        )
    path = folder / INDEX
    if not path.is_file():
        raise ModelFolderError(_incomplete(folder, PipelineClass.SD, [INDEX, *_missing(folder, _SD)]))
    index = read_config(path, {}, of="a pipeline", ignored=None)
    name = index.get("_class_name")
    if name not in list(PipelineClass):
        raise ModelFolderError(
            f"`_class_name` in {path} must be {' or '.join(PipelineClass)}, but got {name!r}; choose another "
            "checkpoint, or save its text-to-image pipeline"
        )
    if wrong := config_faults(index, INDEX_LAWS):
        raise ModelFolderError(f"{path}: {'; '.join(wrong)}; choose another checkpoint, or correct it")
    pipeline_class = PipelineClass(name)
    named = {part: _class_name(index.get(part)) for part in CLASSES[pipeline_class]}
    wrong = [
        f"`{part}` must be {' or '.join(classes)}, but got {named[part]}"
        for part, classes in CLASSES[pipeline_class].items()
        if classes and named[part] not in classes
    ]
    wrong += [
        f"`{part}` must come from {' or '.join(libraries)}, but comes from {index[part][0]!r}"
        for part in named
        if named[part] is not None and index[part][0] not in (libraries := _LIBRARIES.get(part, ("transformers",)))
    ]
    if named["scheduler"] is None:
        wrong.append("`scheduler` must be a class of diffusers, but got None")
    if wrong:
        raise ModelFolderError(f"{path}: {'; '.join(wrong)}; choose another checkpoint")
    return PipelineIndex(
        pipeline_class=pipeline_class,
        scheduler=str(named["scheduler"]),
        zero_empty_prompt=pipeline_class is PipelineClass.SDXL
        and bool(index.get("force_zeros_for_empty_prompt", True)),
    )


_SD: Final = PipelineIndex(pipeline_class=PipelineClass.SD, scheduler="", zero_empty_prompt=False)


def check_pipeline_folder(folder: Path, /, *, variant: str | None = None) -> PipelineIndex:
    """Check that a folder holds what its text-to-image pipeline needs.

    Args:
        folder: Of a pipeline.
        variant: Of the weights' files; None = those without one.

    Raises:
        ModelFolderError: It does not; the message names all that is missing or not supported.
    """
    index = read_pipeline_index(folder)
    if missing := _missing(folder, index):
        raise ModelFolderError(_incomplete(folder, index.pipeline_class, missing))
    wrong = []
    for part in index.parts:
        try:
            if part in index.models:
                weight_files(folder / part, variant=variant)
            if part != "unet":
                read_part_config(folder, part)
        except ModelFolderError as error:
            wrong.append(str(error))
    if not wrong:
        wrong += _misfits(folder, index)
    if wrong:
        raise ModelFolderError("\n".join(wrong))
    return index


def read_part_config(folder: Path, part: str, /) -> dict[str, Any]:
    """The config of a pipeline's part, which must be there.

    Raises:
        ModelFolderError: It is not a JSON object, or breaks a law of such configs; the message says which.
    """
    path = folder / part / _CONFIGS.get(part, "config.json")
    if part.startswith("tokenizer"):
        return check_tokenizer(path.parent)
    return _READERS[part](path)


_READERS: Final = {
    "vae": read_vae_config,
    "scheduler": read_scheduler_config,
    "text_encoder": read_text_encoder_config,
    "text_encoder_2": read_text_encoder_config,
}


def _class_name(entry: Any) -> str | None:
    """The class in an index's [library, class] pair."""
    return str(entry[1]) if isinstance(entry, list) and len(entry) == 2 and entry[1] is not None else None


def _missing(folder: Path, index: PipelineIndex) -> list[str]:
    configs = [f"{part}/{_CONFIGS.get(part, 'config.json')}" for part in index.parts]
    missing = [name for name in configs if not (folder / name).is_file()]
    return missing + [
        f"{part}/*.safetensors" for part in index.models if not any((folder / part).glob("*.safetensors"))
    ]


def _incomplete(folder: Path, pipeline_class: PipelineClass, missing: list[str]) -> str:
    return f"{folder} is not a {pipeline_class} folder: it has no {', '.join(missing)}"


def _misfits(folder: Path, index: PipelineIndex) -> list[str]:
    """What the UNet's config asks for that this pipeline does not give it."""
    unet = read_unet_config(folder)
    vae = read_part_config(folder, "vae")
    wrong = []
    channels, latents = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if channels != latents:
        wrong.append(
            f"`in_channels` of the UNet in {folder} must be the autoencoder's {latents} `latent_channels`, but got "
            f"{channels}: the UNet of an inpainting or another conditioned pipeline; choose a text-to-image checkpoint"
        )
    if (predicted := unet.get("out_channels", 4)) != channels:
        wrong.append(
            f"`out_channels` of the UNet in {folder} must be its {channels} `in_channels`, but got {predicted}: a UNet "
            "that predicts variances too; choose another checkpoint"
        )
    wanted = "text_time" if index.pipeline_class is PipelineClass.SDXL else None
    if (got := unet.get("addition_embed_type")) != wanted:
        wrong.append(
            f"`addition_embed_type` of the UNet in {folder} must be {wanted!r} in a {index.pipeline_class}, but got "
            f"{got!r}; correct `_class_name` in model_index.json or choose another checkpoint"
        )
    return wrong
