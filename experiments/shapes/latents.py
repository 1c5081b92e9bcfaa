"""Latents and text embeddings of rendered scenes, computed once and read by every training of the small UNet."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer

from experiments.shapes.train_clip import pictures, train_scenes
from nas.pipelines.conditioning import Conditioning
from nas.training.latent_set import LatentSet
from search_spaces.shapes.scenes import caption_of


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
        save_file(
            {
                "latents": torch.cat(latents).contiguous(),
                "caption_ids": torch.tensor(caption_ids),
                "embeddings": embeddings,
            },
            cache,
        )
    cached = load_file(cache)
    captions = Conditioning(embeddings=cached.pop("embeddings"))
    return LatentSet(**cached, captions=captions)
