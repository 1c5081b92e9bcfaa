"""The denoising loop: latents from noise and text, the same for every worker."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.protocol import SamplingProtocol


def initial_noise(seeds: Sequence[int], /, *, shape: tuple[int, int, int]) -> Float[Tensor, "n c h w"]:
    """Standard normal noise, each picture's from a generator of its own."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.inference_mode()
def sample_latents(
    unet: torch.nn.Module,
    /,
    *,
    scheduler: Any,
    protocol: SamplingProtocol,
    noise: Float[Tensor, "n c h w"],
    text: Conditioning,
    empty: Conditioning,
) -> Float[Tensor, "n c h w"]:
    """Denoise.

    Args:
        unet: A diffusers UNet.
        scheduler: Fresh or used scheduler of `protocol`'s class; its steps are set here.
        protocol: Steps and guidance.
        noise: Of n pictures.
        text: Of n captions.
        empty: Of one picture without text, or with what guidance leads away from.

    Returns:
        Latents.
    """
    guided = protocol.guidance_scale != 1
    arguments = (empty.expand(len(text)).followed_by(text) if guided else text).arguments()
    scheduler.set_timesteps(protocol.num_steps)
    latents: Tensor = noise * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        batch = torch.cat([latents, latents]) if guided else latents
        output = unet(scheduler.scale_model_input(batch, timestep), timestep, **arguments).sample
        if guided:
            without, with_text = output.chunk(2)
            output = without + protocol.guidance_scale * (with_text - without)
        latents = scheduler.step(output, timestep, latents).prev_sample
    return latents
