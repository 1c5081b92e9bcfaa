"""Latents and text embeddings of rendered scenes, computed once and read by every training of the small UNet."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from experiments.shapes.train_clip import pictures, train_scenes
from search_spaces.shapes.scenes import caption_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSet:
    """`latents` (n, 4, 12, 12), unit variance; `caption_ids` (n,) index `embeddings` (m, 16, 64); row 0 is ""."""

    latents: torch.Tensor
    caption_ids: torch.Tensor
    embeddings: torch.Tensor

    def batches(self, *, seed: int, start: int, size: int, caption_dropout: float) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Generator]]:
        """Endless (latents, embeddings, generator); batch i depends on the seed and i only, so a resume continues."""
        step = start
        while True:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            index = torch.randint(len(self.latents), (size,), generator=generator)
            captions = self.caption_ids[index]
            captions = torch.where(torch.rand(size, generator=generator) < caption_dropout, 0, captions)
            yield self.latents[index].float(), self.embeddings[captions], generator
            step += 1


@torch.inference_mode()
def make(*, pipeline: Path, cache: Path, num: int, seed: int) -> LatentSet:
    """Render, encode and cache `num` pictures; a cache of the same name is read back."""
    if not cache.exists():
        vae = AutoencoderKL.from_pretrained(pipeline / "vae")
        tokenizer = CLIPTokenizer.from_pretrained(pipeline / "tokenizer")
        text_encoder = CLIPTextModel.from_pretrained(pipeline / "text_encoder")
        ids: dict[str, int] = {"": 0}
        latents, caption_ids = [], []
        for chunk in range(num // 256):
            rng = np.random.default_rng([seed, chunk])
            scenes = train_scenes(rng, 256)
            mean = vae.encode(pictures(scenes, rng)).latent_dist.mean * vae.config.scaling_factor
            latents.append(mean.half())
            caption_ids += [ids.setdefault(caption_of(scene), len(ids)) for scene in scenes]
        tokens = tokenizer(list(ids), padding="max_length", truncation=True, return_tensors="pt").input_ids
        embeddings = torch.cat([text_encoder(part).last_hidden_state for part in tokens.split(512)])
        cache.parent.mkdir(parents=True, exist_ok=True)
        save_file({"latents": torch.cat(latents), "caption_ids": torch.tensor(caption_ids), "embeddings": embeddings}, cache)
    return LatentSet(**load_file(cache))
