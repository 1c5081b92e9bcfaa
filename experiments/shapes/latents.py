"""Latents and text embeddings of rendered scenes on a device, from which the small UNet's batches are drawn."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from experiments.shapes.rendered import Rendered

PORTION = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Latents (n, 4, h, w), the caption of each, and embeddings of all captions; row 0 is the empty caption."""

    latents: torch.Tensor
    caption_ids: torch.Tensor
    embeddings: torch.Tensor

    def batch(self, size: int, *, caption_dropout: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents and embeddings of a draw by the device's own generator."""
        device = self.latents.device
        rows = torch.randint(len(self.latents), (size,), device=device)
        is_empty = torch.rand(size, device=device) < caption_dropout
        ids = torch.where(is_empty, 0, self.caption_ids[rows])
        return self.latents[rows].float(), self.embeddings[ids].float()


@torch.inference_mode()
def encode(data: Rendered, *, pipeline: Path, device: str) -> Encoded:
    """What the pipeline's own parts make of pictures and captions."""
    vae = AutoencoderKL.from_pretrained(pipeline / "vae", torch_dtype=torch.float32).to(device)
    tokenizer = CLIPTokenizer.from_pretrained(pipeline / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(pipeline / "text_encoder", torch_dtype=torch.float32).to(device)
    ids: dict[str, int] = {"": 0}
    caption_ids = torch.tensor([ids.setdefault(caption, len(ids)) for caption in data.captions], device=device)
    shown = data.on(device)
    rows = torch.arange(len(data.captions), device=device).split(PORTION)
    latents = [(vae.encode(shown.batch(part)).latent_dist.mean * vae.config.scaling_factor).half() for part in rows]
    tokens = tokenizer(list(ids), padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
    embeddings = [text_encoder(part).last_hidden_state.half() for part in tokens.split(PORTION)]
    return Encoded(latents=torch.cat(latents), caption_ids=caption_ids, embeddings=torch.cat(embeddings))
