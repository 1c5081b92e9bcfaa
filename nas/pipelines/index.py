"""What a pipeline folder says of itself: which diffusers pipeline it is, of which parts, and are they there?

Reads `model_index.json` and file names only; loads no weight and imports no torch.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.folders.loading import PLAIN, SEARCHED, ModelFolderError, read_unet_config
from search_spaces.folders.weight_files import weight_files


class PipelineClass(StrEnum):
    """diffusers pipelines that are supported."""

    SD = "StableDiffusionPipeline"
    SDXL = "StableDiffusionXLPipeline"


# Classes that each part may be of; other parts (safety checker, feature extractor, image encoder) are never loaded.
_TOKENIZERS: Final = ("CLIPTokenizer", "CLIPTokenizerFast")
_SD_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "vae": ("AutoencoderKL",),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": _TOKENIZERS,
    "scheduler": (),  # any of diffusers'
    "unet": (PLAIN, SEARCHED),
}
CLASSES: Final[dict[PipelineClass, dict[str, tuple[str, ...]]]] = {
    PipelineClass.SD: _SD_CLASSES,
    PipelineClass.SDXL: _SD_CLASSES | {"text_encoder_2": ("CLIPTextModelWithProjection",), "tokenizer_2": _TOKENIZERS},
}
_CONFIGS: Final = {"tokenizer": "tokenizer_config.json", "tokenizer_2": "tokenizer_config.json"} | {
    "scheduler": "scheduler_config.json"
}


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
    path = folder / "model_index.json"
    if not path.is_file():
        raise ModelFolderError(_incomplete(folder, PipelineClass.SD, ["model_index.json", *_missing(folder, _SD)]))
    try:
        index = read_json_object(path)
    except JsonError as error:
        raise ModelFolderError(str(error)) from error
    name = index.get("_class_name")
    if name not in list(PipelineClass):
        raise ModelFolderError(
            f"`_class_name` in {path} must be {' or '.join(PipelineClass)}, but got {name!r}; choose another "
            "checkpoint, or save its text-to-image pipeline"
        )
    pipeline_class = PipelineClass(name)
    named = {part: _class_name(index.get(part)) for part in CLASSES[pipeline_class]}
    wrong = [
        f"`{part}` must be {' or '.join(classes)}, but got {named[part]}"
        for part, classes in CLASSES[pipeline_class].items()
        if classes and named[part] not in classes
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
    for part in index.models:
        try:
            weight_files(folder / part, variant=variant)
        except ModelFolderError as error:
            wrong.append(str(error))
    wrong += _misfits(folder, index)
    if wrong:
        raise ModelFolderError("\n".join(wrong))
    return index


def read_part_config(folder: Path, part: str, /) -> dict[str, Any]:
    """The config of a pipeline's part, which must be there.

    Raises:
        ModelFolderError: It is not a JSON object.
    """
    path = folder / part / _CONFIGS.get(part, "config.json")
    try:
        return read_json_object(path)
    except JsonError as error:
        raise ModelFolderError(f"{error}; restore the folder from where it came") from error


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
    wanted = "text_time" if index.pipeline_class is PipelineClass.SDXL else None
    if (got := unet.get("addition_embed_type")) != wanted:
        wrong.append(
            f"`addition_embed_type` of the UNet in {folder} must be {wanted!r} in a {index.pipeline_class}, but got "
            f"{got!r}; correct `_class_name` in model_index.json or choose another checkpoint"
        )
    return wrong
