"""A single-file checkpoint made a pipeline folder, by diffusers' own conversion, offline and without pickles."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.utils import logging as diffusers_logging
from transformers.utils.logging import disable_progress_bar

from nas.pipelines.index import PipelineClass, check_pipeline_folder, read_part_config, read_pipeline_index
from nas.pipelines.schedulers import scheduler_class
from search_spaces.files.durable.places import settled, sweep_beside
from search_spaces.files.durable.writing import whole
from search_spaces.files.paths import no_such_file
from search_spaces.files.user_error import UserError
from search_spaces.folders.checked_loading import faults_told, without_weights
from search_spaces.folders.loading import read_unet_config
from search_spaces.folders.weight_files import ModelFolderError, StoredTensor, read_header

_CLASSES: Final = {PipelineClass.SD: StableDiffusionPipeline, PipelineClass.SDXL: StableDiffusionXLPipeline}
# Names that no diffusers folder has: those of the checkpoints that this is for.
_PREFIX: Final = "model.diffusion_model."
_PARTS: Final = (
    (("first_stage_model.",), "autoencoder"),
    (("cond_stage_model.", "conditioner.embedders."), "text encoder"),
)
# Empty tensors by which trainers say how a model was trained: their name, and what the scheduler must hold then.
_MARKS: Final = (
    ("v_pred", "prediction_type", "v_prediction", "epsilon"),
    ("ztsnr", "rescale_betas_zero_snr", True, False),
)


class ConversionError(UserError):
    """A file that is not a checkpoint of the kind that the config describes, or a place that may not be overwritten."""


def convert_checkpoint(file: Path, /, *, out: Path, config: Path) -> int:
    """Write the pipeline folder of a single-file checkpoint, whole or not at all; weights keep their type.

    Args:
        file: A safetensors file that holds UNet, autoencoder and text encoders, as trainers of Stable Diffusion write.
        out: Folder to write; must not exist.
        config: A pipeline folder of the same family, of which configs, tokenizers and scheduler are taken; its weights
            are not needed.

    Returns:
        Parameters in all.

    Raises:
        ConversionError: Not such a file, the config of another family, or `out` exists.
        ModelFolderError: A damaged file, or a config folder that is not supported.
    """
    index = read_pipeline_index(config)
    for each in index.parts:
        if each != "unet":
            read_part_config(config, each)
    scheduler_class(index.scheduler)  # or it says which class is none
    dtype = _check(file, out, config)
    # diffusers imports whatever module the index names for a part, unless it is told that there is no such part.
    settings: dict[str, Any] = {"feature_extractor": None, "image_encoder": None}
    if index.pipeline_class is PipelineClass.SD:
        settings |= {"safety_checker": None, "requires_safety_checker": False}
    else:
        settings |= {"add_watermarker": False}
    try:
        with _silence():
            pipeline = _CLASSES[index.pipeline_class].from_single_file(
                str(file), config=str(config), local_files_only=True, dtype=dtype, **settings
            )
    except NotImplementedError as error:  # torch's, on a tensor that no weight was found for
        raise ConversionError(
            f"{file} must hold all weights that {config} describes, but some of its autoencoder's are absent; give the "
            "config of its own family"
        ) from error
    except (SingleFileComponentError, KeyError, ValueError, OSError, RuntimeError, AttributeError, TypeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ConversionError(
            f"{file} must be a checkpoint of what {config} describes, but diffusers cannot read it as a "
            f"{index.pipeline_class} ({type(error).__name__}: {first}); give the config of its own family"
        ) from error
    models = {name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
    absent = [
        f"{name}: {weight}"
        for name, model in models.items()
        for weight, parameter in model.named_parameters()
        if parameter.is_meta
    ]
    if absent:
        raise ConversionError(
            f"{file} must hold all weights that {config} describes, but {len(absent)} are absent, such as {absent[0]}; "
            "give the config of its own family"
        )
    sweep_beside(out)
    with whole(out) as part:
        pipeline.save_pretrained(part, safe_serialization=True)
        check_pipeline_folder(part)
    return sum(parameter.numel() for model in models.values() for parameter in model.parameters())


@contextmanager
def _silence() -> Iterator[None]:
    """Keep progress bars, and remarks that diffusers makes on its own calls, off the terminal."""
    before = diffusers_logging.get_verbosity()
    disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(before)


def _check(file: Path, out: Path, config: Path) -> torch.dtype:
    """Check what can be checked without loading; the type that most of the UNet's tensors are stored in."""
    if settled(out).exists():
        raise ConversionError(f"{out} must not exist yet; give another folder, or remove it")
    if file.suffix != ".safetensors":
        raise ConversionError(
            f"a checkpoint must be a .safetensors file, but got {file}; pickles can run any code when they are "
            "opened, so they are refused: get its safetensors, or convert it with a tool that you trust"
        )
    if not file.is_file():
        remedy = "give a single-file checkpoint of Stable Diffusion"
        raise ModelFolderError(no_such_file(file, what="checkpoint", remedy=remedy))
    stored = read_header(file)
    dtypes = [tensor.dtype for name, tensor in stored.items() if name.startswith(_PREFIX)]
    if not dtypes:
        raise ConversionError(
            f"a single-file checkpoint must hold a UNet under {_PREFIX}*, but {file} holds none; a file of a single "
            "part, a LoRA or a folder's own weights cannot be converted"
        )
    dtype: torch.dtype = getattr(torch, max(set(dtypes), key=dtypes.count))
    unet_config = read_unet_config(config)
    if wrong := [*_wrong_parts(stored, unet_config), *_wrong_marks(stored, config)]:
        raise ConversionError(f"{file} cannot be converted: {'; '.join(wrong)}")
    with faults_told(config / "unet"), without_weights():
        wanted = len(UNet2DConditionModel.from_config(unet_config).state_dict())
    if wanted != len(dtypes):
        raise ConversionError(
            f"the UNet in {file} must have the {wanted} tensors that {config} describes, but has {len(dtypes)}; give "
            "the config of its own family"
        )
    return dtype


def _wrong_parts(stored: Mapping[str, StoredTensor], unet_config: Mapping[str, Any]) -> Iterator[str]:
    """What a file lacks, or has too much, whatever config is given."""
    first = stored.get(f"{_PREFIX}input_blocks.0.0.weight")
    channels = unet_config.get("in_channels", 4)
    if first is not None and first.shape[1:2] != (channels,):
        kind = "an inpainting model" if first.shape[1:2] == (9,) else "a model of another kind"
        yield (
            f"its UNet reads {', '.join(map(str, first.shape[1:2]))} channels and must read {channels}: {kind}, which "
            "is not supported; choose a text-to-image checkpoint"
        )
    for prefixes, part in _PARTS:
        if not any(name.startswith(prefixes) for name in stored):
            yield f"it holds no {part} ({prefixes[0]}*), which no config can give; choose a file that holds one"
    if layers := [name for name in stored if "lora_" in name]:
        yield (
            f"it holds LoRA layers beside the model ({len(layers)}, such as {layers[0]}), which would be lost; merge "
            "them into the model with the tool that made it, or remove them"
        )


def _wrong_marks(stored: Mapping[str, StoredTensor], config: Path) -> Iterator[str]:
    """Facts that a file states of its training by empty tensors, and that the config's scheduler contradicts."""
    scheduler = read_part_config(config, "scheduler")
    for mark, key, wanted, default in _MARKS:
        if mark in stored and scheduler.get(key, default) != wanted:
            yield (
                f"it is marked `{mark}`, so `{key}` must be {json.dumps(wanted)}, but is "
                f"{json.dumps(scheduler.get(key, default))} in {config / 'scheduler' / 'scheduler_config.json'}; every "
                "picture would be noise: correct it there, in a copy of the folder"
            )
    if marks := [name for name in stored if name.startswith("edm_")]:
        yield f"it is marked `{marks[0]}`, trained by EDM: its schedulers are not supported; choose another checkpoint"
