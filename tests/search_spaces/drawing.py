"""Loads a pipeline folder and draws with it: `python -m tests.search_spaces.drawing FOLDER OUT`, a clean process."""

import sys

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

import search_spaces.searched_unet  # noqa: F401  diffusers loads the class only from a module that is imported already


def draw(pipeline: StableDiffusionPipeline, /) -> dict[str, torch.Tensor]:
    """The output of its UNet for a seeded input, and a picture of two steps."""
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    sample, context = torch.randn(2, 4, 12, 12, generator=generator), torch.randn(2, 5, 12, generator=generator)
    with torch.inference_mode():
        output = pipeline.unet(sample, 500, encoder_hidden_states=context).sample
    pictures = pipeline("a red circle", num_inference_steps=2, output_type="pt", generator=generator).images
    return {"output": output.contiguous(), "pictures": pictures.contiguous()}


if __name__ == "__main__":
    folder, out = sys.argv[1:]
    save_file(draw(StableDiffusionPipeline.from_pretrained(folder, use_safetensors=True)), out)
