"""A diffusers pipeline folder taken apart: VAE, text encoder, tokenizer and scheduler, loaded as safetensors only."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils.logging import disable_progress_bar

import search_spaces.searched_unet  # noqa: F401  diffusers loads the class only from a module that is imported already

CONFIGS: Final = {
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
    "unet": "config.json",
}
PARTS: Final = tuple(CONFIGS)
MODELS: Final = ("vae", "text_encoder", "unet")  # the parts with weights


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParts:
    """Everything of a text-to-image pipeline but its UNet."""

    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_config: dict[str, Any]

    @classmethod
    def load(cls, folder: Path, /) -> Self:
        """Load the parts of a `StableDiffusionPipeline` folder.

        Raises:
            ValueError: Not such a folder; the message says what is missing.
        """
        check_pipeline_folder(folder)
        disable_progress_bar()  # transformers draws one per model, over the search's own
        return cls(
            vae=AutoencoderKL.from_pretrained(folder / "vae", use_safetensors=True).eval().requires_grad_(False),
            text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", use_safetensors=True).eval(),
            tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
            scheduler_config=json.loads((folder / "scheduler" / "scheduler_config.json").read_text()),
        )

    @torch.inference_mode()
    def embed(self, captions: Sequence[str], /, *, batch_size: int = 64) -> torch.Tensor:
        """Text embeddings (n, tokens, width)."""
        tokens = self.tokenizer(
            list(captions),
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids.to(self.text_encoder.device)
        return torch.cat([self.text_encoder(part).last_hidden_state for part in tokens.split(batch_size)])

    @torch.inference_mode()
    def encode(self, pictures: torch.Tensor, /, *, batch_size: int = 64) -> torch.Tensor:
        """Pictures (n, 3, h, w) in [0, 1] to scaled latents (n, c, h', w')."""
        parts = [self.vae.encode(part * 2 - 1).latent_dist.mean for part in pictures.split(batch_size)]
        scale: float = self.vae.config.scaling_factor
        return torch.cat(parts) * scale

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, /) -> torch.Tensor:
        """Scaled latents (n, c, h', w') to pictures (n, 3, h, w) in [0, 1]."""
        pictures: torch.Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return (pictures / 2 + 0.5).clamp(0, 1)


def load_pipeline(folder: Path, /) -> StableDiffusionPipeline:
    """diffusers' own pipeline of a folder, a base model's or an exported one, safetensors only and without a checker.

    Raises:
        ValueError: Not a pipeline folder; the message says what is missing.
    """
    check_pipeline_folder(folder)
    disable_progress_bar()
    diffusers_logging.disable_progress_bar()
    return StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None, requires_safety_checker=False, use_safetensors=True
    )


def check_pipeline_folder(folder: Path, /) -> None:
    """Check that a folder holds what a text-to-image pipeline of the Stable Diffusion kind needs.

    Raises:
        ValueError: It does not; the message names all that is missing.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no model folder {folder}; give the folder of a diffusers StableDiffusionPipeline")
    needed = ["model_index.json", *(f"{part}/{config}" for part, config in CONFIGS.items())]
    missing = [name for name in needed if not (folder / name).is_file()]
    missing += [f"{part}/*.safetensors" for part in MODELS if not any((folder / part).glob("*.safetensors"))]
    if missing:
        raise ValueError(f"{folder} is not a StableDiffusionPipeline folder: it has no {', '.join(missing)}")


def folder_digest(folder: Path, /) -> str:
    """Digest of all files in a folder, by relative name and content."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
