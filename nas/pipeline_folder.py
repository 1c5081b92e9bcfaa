"""A diffusers pipeline folder taken apart: VAE, text encoders, tokenizers and scheduler, loaded as safetensors only."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

import search_spaces.searched_unet  # noqa: F401  diffusers loads the class only from a module that is imported already
from nas.conditioning import Conditioning
from nas.pipeline_index import PipelineClass, PipelineIndex, check_pipeline_folder
from nas.text_encoders import TextEncoders
from search_spaces.checked_loading import check_tensors, load_model
from search_spaces.loading import ModelFolderError, unet_class
from search_spaces.weight_files import stored_tensors

__all__ = ["PARTS", "PipelineParts", "check_pipeline_folder", "folder_digest", "load_pipeline"]

PARTS: Final = ("vae", "text_encoder", "tokenizer", "scheduler", "unet")  # of a pipeline with one text encoder
_TEXT_MODELS: Final = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PipelineParts:
    """Everything of a text-to-image pipeline but its UNet.

    Attributes:
        vae: Its autoencoder.
        text_encoders: What reads captions.
        scheduler_config: Settings of its own scheduler.
        index: What the folder says of itself.
    """

    vae: AutoencoderKL
    text_encoders: TextEncoders
    scheduler_config: dict[str, Any]
    index: PipelineIndex

    @classmethod
    def load(cls, folder: Path, /, *, variant: str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Load the parts of a pipeline folder.

        Args:
            folder: Of a `StableDiffusionPipeline` or a `StableDiffusionXLPipeline`.
            variant: Of the weights' files, such as "fp16"; None = the files without one.
            dtype: Of the weights; None = float32. An SDXL autoencoder that asks for it (`force_upcast`) stays in
                float32 where the rest is float16, in which it overflows.

        Raises:
            ModelFolderError: Not such a folder; the message says what is missing or damaged.
        """
        index = check_pipeline_folder(folder, variant=variant)
        disable_progress_bar()  # transformers draws one per model, over the search's own
        vae_config = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
        upcasts = index.pipeline_class is PipelineClass.SDXL and vae_config.get("force_upcast", True)
        vae_dtype = torch.float32 if upcasts and dtype is torch.float16 else dtype
        return cls(
            vae=load_model(AutoencoderKL, folder / "vae", dtype=vae_dtype, variant=variant).requires_grad_(False),
            text_encoders=load_text_encoders(folder, index=index, variant=variant, dtype=dtype),
            scheduler_config=json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8")),
            index=index,
        )

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """What has weights."""
        return (self.vae, *self.text_encoders.models)

    @property
    def vae_scale(self) -> int:
        """Pixels per latent, in height as in width."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def embed(self, captions: Sequence[str], /, *, size_px: tuple[int, int], batch_size: int = 64) -> Conditioning:
        """The conditioning of one picture of `size_px` (height, width) per caption; see `TextEncoders.encode`."""
        return self.text_encoders.encode(captions, size_px=size_px, batch_size=batch_size)

    @torch.inference_mode()
    def encode(self, pictures: torch.Tensor, /, *, batch_size: int = 64) -> torch.Tensor:
        """Pictures (n, 3, h, w) in [0, 1] to scaled latents (n, c, h', w')."""
        with self._unclipped(pictures.device):
            batches = (part.to(self.vae.dtype) * 2 - 1 for part in pictures.split(batch_size))
            latents = torch.cat([self.vae.encode(batch).latent_dist.mean for batch in batches])
        mean, std = self._latent_statistics(latents)
        scale: float = self.vae.config.scaling_factor
        return latents * scale if mean is None or std is None else (latents - mean) * scale / std

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, /) -> torch.Tensor:
        """Scaled latents (n, c, h', w') to pictures (n, 3, h, w) in [0, 1]."""
        mean, std = self._latent_statistics(latents)
        scale: float = self.vae.config.scaling_factor
        latents = latents / scale if mean is None or std is None else latents * std / scale + mean
        with self._unclipped(latents.device):
            pictures: torch.Tensor = self.vae.decode(latents.to(self.vae.dtype)).sample
        return (pictures / 2 + 0.5).clamp(0, 1)

    def _latent_statistics(self, latents: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Mean and deviation per channel by which SDXL pipelines, and only they, scale the latents of some VAEs."""
        mean, std = self.vae.config.latents_mean, self.vae.config.latents_std
        if self.index.pipeline_class is not PipelineClass.SDXL or mean is None or std is None:
            return None, None
        return latents.new_tensor(mean).view(1, -1, 1, 1), latents.new_tensor(std).view(1, -1, 1, 1)

    @contextmanager
    def _unclipped(self, device: torch.device) -> Iterator[None]:
        """Keep a VAE that overflows in float16 from being run in it by autocast."""
        overflows = self.index.pipeline_class is PipelineClass.SDXL and self.vae.config.force_upcast
        kind = device.type
        if overflows and torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) is torch.float16:
            with torch.autocast(kind, enabled=False):
                yield
        else:
            yield


def load_text_encoders(
    folder: Path, /, *, index: PipelineIndex, variant: str | None = None, dtype: torch.dtype | None = None
) -> TextEncoders:
    """The text encoders of a pipeline folder with their tokenizers, in evaluation mode."""
    names = index.text_encoders
    return TextEncoders(
        tokenizers=tuple(
            CLIPTokenizer.from_pretrained(folder / name.replace("text_encoder", "tokenizer")) for name in names
        ),
        models=tuple(_load_text_encoder(folder / name, variant=variant, dtype=dtype) for name in names),
        zero_empty_prompt=index.zero_empty_prompt,
    )


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
    folder: Path, /, *, variant: str | None = None, dtype: torch.dtype | None = None
) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    """diffusers' own pipeline of a folder, a base model's or an exported one, safetensors only and without a checker.

    Args:
        folder: Of a `StableDiffusionPipeline` or a `StableDiffusionXLPipeline`.
        variant: Of the weights' files, such as "fp16"; None = the files without one.
        dtype: Of the weights; None = float32.

    Raises:
        ModelFolderError: Not a pipeline folder; the message says what is missing or damaged.
    """
    index = check_pipeline_folder(folder, variant=variant)
    for name, model_class in (("vae", AutoencoderKL), ("unet", unet_class(folder))):
        check_tensors(model_class, folder / name, variant=variant)
    disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    encoders = load_text_encoders(folder, index=index, variant=variant, dtype=dtype)
    settings: dict[str, Any] = dict(zip(index.text_encoders, encoders.models, strict=True))
    settings |= {"feature_extractor": None, "image_encoder": None}
    if index.pipeline_class is PipelineClass.SDXL:
        pipeline_class, settings = StableDiffusionXLPipeline, settings | {"add_watermarker": False}
    else:
        pipeline_class = StableDiffusionPipeline
        settings |= {"safety_checker": None, "requires_safety_checker": False}
    return pipeline_class.from_pretrained(
        folder, variant=variant, dtype=dtype or torch.float32, use_safetensors=True, local_files_only=True, **settings
    )


def folder_digest(folder: Path, /) -> str:
    """Digest of all files in a folder, by relative name and content."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
