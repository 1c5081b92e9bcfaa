"""The latents that a decoder learns from: drawn once from prompts alone, and kept in files by what they follow from."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from nas.distillation.decoder.job import DecoderJob
from nas.pipelines.folder import load_text_encoders
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.training.launching.fleet import Fleet
from search_spaces.files.durable.writing import whole_once


def drawn_latents(
    job: DecoderJob, /, *, fleet: Fleet, device: torch.device, on_progress: Callable[[int, int | None], None]
) -> Float[Tensor, "n c h w"]:
    """All latents of a job, in the order of its prompts, on the CPU; what is not there yet is drawn, by all together.

    Args:
        job: Says which.
        fleet: Who draws together, a file each in turn.
        device: Where to draw.
        on_progress: Called with latents that are there, and how many there will be.

    Raises:
        StorageError: The disk refuses.
    """
    size, num = job.config.latents.chunk_size, len(job.prompts)
    paths = [job.latents / f"{start:06d}.safetensors" for start in range(0, num, size)]
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    if missing:
        draw = _drawer(job, device)
        for count, index in enumerate(missing):
            if index % fleet.world == fleet.rank:
                latents = draw(slice(index * size, (index + 1) * size))
                with whole_once(paths[index]) as part:
                    save_file({"latents": latents}, part)
            on_progress(num - size * (len(missing) - count - 1), num)
    fleet.average([torch.zeros((), device=device)])  # all files stand when all have come here
    return torch.cat([load_file(path)["latents"] for path in paths])


def _drawer(job: DecoderJob, device: torch.device) -> Callable[[slice], Float[Tensor, "n c h w"]]:
    """What draws the latents of some prompts."""
    unet, encoders = job.model.load_unet().to(device), load_text_encoders(job.model)
    scheduler = make_scheduler(job.config.sampling.scheduler, config=scheduler_config(job.model))
    sample_size = unet.config.sample_size
    height, width = sample_size if isinstance(sample_size, (list, tuple)) else (sample_size, sample_size)
    scale = 2 ** (len(job.model.part_config("vae")["block_out_channels"]) - 1)
    size_px = (height * scale, width * scale)
    for encoder in encoders.models:
        encoder.to(device)
    empty = encoders.encode([""], size_px=size_px)

    def draw(rows: slice) -> Float[Tensor, "n c h w"]:
        prompts = job.prompts[rows]
        noise = initial_noise([each.noise_seed for each in prompts], shape=(unet.config.in_channels, height, width))
        drawn = sample_latents(
            unet,
            scheduler=scheduler,
            protocol=job.config.sampling,
            noise=noise.to(device),
            text=encoders.encode([each.caption for each in prompts], size_px=size_px),
            empty=empty,
        )
        return drawn.float().cpu().contiguous()

    return draw
