"""Pictures from any pipeline folder, a base model's or an exported one, through diffusers' own pipeline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from nas.pipeline_folder import load_pipeline


def generate_pictures(
    folder: Path, /, *, prompts: Sequence[str], seed: int, num_steps: int, guidance_scale: float
) -> npt.NDArray[np.uint8]:
    """Draw one picture per prompt.

    Args:
        folder: A `StableDiffusionPipeline` folder.
        prompts: What to draw.
        seed: Seed of the first picture's noise; picture i uses seed + i.
        num_steps: Denoising steps.
        guidance_scale: Classifier-free guidance; 1 = none.

    Returns:
        uint8 (n, h, w, 3).

    Raises:
        ValueError: Not a pipeline folder, or no prompts.
    """
    if not prompts:
        raise ValueError("give at least one prompt")
    pipeline = load_pipeline(folder)
    pipeline.set_progress_bar_config(disable=True)
    output = pipeline(
        list(prompts),
        num_inference_steps=num_steps,
        guidance_scale=guidance_scale,
        generator=[torch.Generator().manual_seed(seed + i) for i in range(len(prompts))],
        output_type="np",
    )
    return np.asarray(np.round(np.stack(output.images) * 255), dtype=np.uint8)
