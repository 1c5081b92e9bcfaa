"""A diffusers pipeline folder taken apart: VAE, text encoders, tokenizers and scheduler, loaded as safetensors only."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import diffusers
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging
from jaxtyping import Float
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

import search_spaces.searched_unet  # noqa: F401  diffusers loads the class only from a module that is imported already
from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.index import PipelineClass, PipelineIndex
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.text_encoders import TextEncoders
from search_spaces.folders.checked_loading import check_tensors, load_model
from search_spaces.folders.loading import ModelFolderError, unet_class
from search_spaces.folders.weight_files import stored_tensors

PARTS: Final = ("vae", "text_encoder", "tokenizer", "scheduler", "unet")  # of a pipeline with one text encoder
_CORRECTED: Final = {"steps_offset": 1, "clip_sample": False}  # as StableDiffusionPipeline.__init__ does
_TEXT_MODELS: Final = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PipelineParts:
    """Everything of a text-to-image pipeline but its UNet.

    Attributes:
        autoencoder: Between pictures and latents.
        text_encoders: What reads captions.
        scheduler_config: Settings of its own scheduler, as diffusers' pipeline corrects them.
        index: What the folder says of itself.
    """

    autoencoder: Autoencoder
    text_encoders: TextEncoders
    scheduler_config: dict[str, Any]
    index: PipelineIndex

    @classmethod
    def load(cls, model: ModelFolder, /, *, dtype: torch.dtype | None = None) -> Self:
        """Load the parts of a model.

        Args:
            model: Where they stand.
            dtype: Of the weights; None = float32. An SDXL autoencoder that asks for it (`force_upcast`) stays in
                float32 where the rest is float16, in which it overflows.

        Raises:
            ModelFolderError: A damaged part; the message says what is wrong with it.
        """
        disable_progress_bar()  # transformers draws one per model, over the search's own
        of_sdxl = model.index.pipeline_class is PipelineClass.SDXL
        upcasts = of_sdxl and model.part_config("vae").get("force_upcast", True)
        vae_dtype = torch.float32 if upcasts and dtype is torch.float16 else dtype
        vae = load_model(AutoencoderKL, model.part("vae"), dtype=vae_dtype, variant=model.variant).requires_grad_(False)
        return cls(
            autoencoder=Autoencoder(vae=vae, of_sdxl=of_sdxl),
            text_encoders=load_text_encoders(model, dtype=dtype),
            scheduler_config=_scheduler_config(model),
            index=model.index,
        )

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What has weights."""
        return (self.autoencoder.vae, *self.text_encoders.models)

    def embed(self, captions: Sequence[str], /, *, size_px: tuple[int, int], batch_size: int = 64) -> Conditioning:
        """The conditioning of one picture of `size_px` (height, width) per caption; see `TextEncoders.encode`."""
        return self.text_encoders.encode(captions, size_px=size_px, batch_size=batch_size)

    def encode(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, batch_size: int = 64) -> Float[Tensor, "n c h w"]:
        """Pictures in [0, 1] to scaled latents."""
        return self.autoencoder.encode(pictures, batch_size=batch_size)

    def decode(self, latents: Float[Tensor, "n c h w"], /) -> Float[Tensor, "n 3 h_px w_px"]:
        """Scaled latents to pictures in [0, 1]."""
        return self.autoencoder.decode(latents)


def load_text_encoders(model: ModelFolder, /, *, dtype: torch.dtype | None = None) -> TextEncoders:
    """The text encoders of a model with their tokenizers, in evaluation mode."""
    names = model.index.text_encoders
    return TextEncoders(
        tokenizers=tuple(_load_tokenizer(model.part(name.replace("text_encoder", "tokenizer"))) for name in names),
        models=tuple(_load_text_encoder(model.part(name), variant=model.variant, dtype=dtype) for name in names),
        zero_empty_prompt=model.index.zero_empty_prompt,
    )


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # nothing but this folder is read, so whatever fails is its fault
        raise ModelFolderError(
            f"{folder} must hold a CLIP tokenizer, with vocab.json and merges.txt or tokenizer.json, but it cannot be "
            f"read ({type(error).__name__}); restore the folder from where it came"
        ) from error


def _scheduler_config(model: ModelFolder) -> dict[str, Any]:
    """Settings of a model's own scheduler; Stable Diffusion's pipeline corrects two that are outdated."""
    config = model.part_config("scheduler")
    settings = inspect.signature(_scheduler_class(model.index)).parameters
    if model.index.pipeline_class is PipelineClass.SD:
        config |= {name: right for name, right in _CORRECTED.items() if name in settings}
    return config


def _scheduler_class(index: PipelineIndex) -> type[Any]:
    found = getattr(diffusers, index.scheduler, None)
    if found is None:
        raise ModelFolderError(
            f"`scheduler` in model_index.json must be a class of diffusers {diffusers.__version__}, but got "
            f"{index.scheduler}; name another one there, such as DDIMScheduler"
        )
    scheduler_class: type[Any] = found
    return scheduler_class


def _load_text_encoder(
    folder: Path, *, variant: str | None, dtype: torch.dtype | None
) -> CLIPTextModel | CLIPTextModelWithProjection:
    stored_tensors(folder, variant=variant)  # whole files
    try:
        model, info = _TEXT_MODELS[folder.name].from_pretrained(
            folder,
            use_safetensors=True,
            dtype=dtype or torch.float32,
            variant=variant,
            local_files_only=True,
            output_loading_info=True,
        )
    except RuntimeError as error:  # tensors of another shape
        raise ModelFolderError(
            f"the weights in {folder} must be those of its config.json, but have other shapes; restore the folder from "
            f"where it came ({str(error).strip().splitlines()[-1].strip()})"
        ) from error
    if absent := sorted(info["missing_keys"]):
        raise ModelFolderError(
            f"the weights in {folder} must be those of its config.json, but {len(absent)} tensors are absent, such as "
            f"{absent[0]}; restore the folder from where it came"
        )
    return model.eval()


def load_pipeline(
    model: ModelFolder, /, *, dtype: torch.dtype | None = None
) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """diffusers' own pipeline of a model, a base model's or an exported one, safetensors only and without a checker.

    Args:
        model: Where its parts stand.
        dtype: Of the weights; None = float32.

    Raises:
        ModelFolderError: A damaged part; the message says what is wrong with it.
    """
    index = model.index
    _scheduler_class(index)
    for name, model_class in (("vae", AutoencoderKL), ("unet", unet_class(model.path))):
        check_tensors(model_class, model.part(name), variant=model.variant)
    disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    encoders = load_text_encoders(model, dtype=dtype)
    settings: dict[str, Any] = dict(zip(index.text_encoders, encoders.models, strict=True))
    settings |= {"feature_extractor": None, "image_encoder": None}
    if index.pipeline_class is PipelineClass.SDXL:
        pipeline_class, settings = StableDiffusionXLPipeline, settings | {"add_watermarker": False}
    else:
        pipeline_class = StableDiffusionPipeline
        settings |= {"safety_checker": None, "requires_safety_checker": False}
    return pipeline_class.from_pretrained(
        model.path,
        variant=model.variant,
        dtype=dtype or torch.float32,
        use_safetensors=True,
        local_files_only=True,
        **settings,
    )
