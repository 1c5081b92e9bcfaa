"""The denoising loop: latents from noise and text, the same for every worker."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.protocol import SamplingProtocol


def initial_noise(seeds: Sequence[int], /, *, shape: tuple[int, int, int]) -> Float[Tensor, "n c h w"]:
    """Standard normal noise, each picture's from a generator of its own."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def guidance_embedding(w: Float[Tensor, " n"], width: int, /) -> Float[Tensor, "n width"]:
    """What a UNet is told of guidance scales, as `StableDiffusionPipeline.get_guidance_scale_embedding` has it.

    Args:
        w: Guidance scales; 1 = none.
        width: The UNet's `time_cond_proj_dim`.
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32, device=w.device) * -(math.log(10_000.0) / (half - 1)))
    angles = (w.float() - 1)[:, None] * 1000.0 * rates[None]
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, width % 2))


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
    """Denoise; a UNet that is told its guidance (`time_cond_proj_dim`) is not guided beside.

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
    told = getattr(getattr(unet, "config", None), "time_cond_proj_dim", None)
    guided = protocol.guidance_scale != 1 and told is None
    arguments = (empty.expand(len(text)).followed_by(text) if guided else text).arguments()
    if told is not None:
        arguments["timestep_cond"] = guidance_embedding(noise.new_full((len(noise),), protocol.guidance_scale), told)
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
