"""A checkpoint of a known model's true size with random weights, as a pipeline folder: to try the whole path offline.

    python -m experiments.random_checkpoint sd-1.5 runs/sd15-random --latents 16

Time, memory and file formats are those of the real model; pictures are noise. Texts are read by the bundled tokenizer,
77 tokens long. SD-1.5 takes 4.3 GB on disk and in memory.
"""

import shutil
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from experiments.command import run
from search_spaces.known.architectures import BASE_CONFIGS
from search_spaces.shapes import PIPELINE_DIR

TOKENS = 77
TEXT: dict[str, dict[str, Any]] = {
    "sd-1.5": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    "sd-2.1": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16},
}
VAE: dict[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}


def main(
    name: Annotated[str, typer.Argument(help="sd-1.5 or sd-2.1")],
    out: Annotated[Path, typer.Argument(help="pipeline folder to write")],
    latents: Annotated[int, typer.Option(help="latent height and width; pictures are 8 times as large")] = 64,
    seed: Annotated[int, typer.Option(help="of the weights")] = 0,
) -> None:
    """Write a pipeline folder with random weights at a model's true size."""
    if name not in TEXT:
        raise typer.BadParameter(f"must be one of {', '.join(TEXT)}, but got {name}")
    torch.manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(PIPELINE_DIR / "tokenizer", model_max_length=TOKENS)
    text = CLIPTextConfig(
        vocab_size=49408, max_position_embeddings=TOKENS, eos_token_id=tokenizer.eos_token_id, **TEXT[name]
    )
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL(**VAE),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(**BASE_CONFIGS[name] | {"sample_size": latents}),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(out, safe_serialization=True)
    for file in ("vocab.json", "merges.txt"):
        shutil.copy(PIPELINE_DIR / "tokenizer" / file, out / "tokenizer" / file)
    typer.echo(f"{name} with random weights, {latents}x{latents} latents -> {out}")


if __name__ == "__main__":
    run(main)
