"""The latents that a decoder learns from: drawn once from prompts alone, and kept in files by what they follow from."""

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from nas.distillation.decoder.job import DecoderJob
from nas.pipelines.folder import load_text_encoders
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.training.launching.fleet import Fleet
from search_spaces.files.durable.writing import set_aside, whole_once
from search_spaces.files.user_error import UserError
from search_spaces.folders.checked_loading import in_a_line


class LatentsWarning(UserWarning):
    """A damaged file of latents was set aside."""


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
        UserError: Latents that are no numbers.
        StorageError: The disk refuses.
    """
    size, num = job.config.latents.chunk_size, len(job.prompts)
    paths = [job.latents / f"{start:06d}.safetensors" for start in range(0, num, size)]
    rows = [min(size, num - start) for start in range(0, num, size)]
    missing = [
        index for index, path in enumerate(paths) if _kept(path, num=rows[index], may_move=fleet.rank == 0) is None
    ]
    fleet.average([torch.zeros((), device=device)])  # all have seen what is missing before the first draws
    if missing:
        draw = _drawer(job, device)
        for count, index in enumerate(missing):
            if index % fleet.world == fleet.rank:
                latents = draw(slice(index * size, (index + 1) * size))
                if broken := int((~latents.isfinite().flatten(1).all(1)).sum()):
                    raise UserError(
                        f"latents must be finite, but {broken} of {len(latents)} that {job.model.name} draws by "
                        f"{job.config.sampling.num_steps} steps are not; choose other `sampling`"
                    )
                with whole_once(paths[index]) as part:
                    save_file({"latents": latents}, part)
            on_progress(num - size * (len(missing) - count - 1), num)
    fleet.average([torch.zeros((), device=device)])  # all files stand when all have come here
    found = [_kept(path, num=num_rows, may_move=False) for path, num_rows in zip(paths, rows, strict=True)]
    return torch.cat([each for each in found if each is not None])


def _kept(path: Path, /, *, num: int, may_move: bool) -> Float[Tensor, "n c h w"] | None:
    """The latents of a file; None where it is not there, or not what was written, and is then set aside."""
    try:
        latents = load_file(path)["latents"]
        if latents.ndim == 4 and len(latents) == num and latents.isfinite().all():
            return latents
        why = f"latents {list(latents.shape)} or not finite"
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError) as error:
        why = in_a_line(error)
    if may_move:
        moved = set_aside(path)
        warnings.warn(
            f"{path} is damaged ({why}): moved to {moved.name}, and drawn again", LatentsWarning, stacklevel=2
        )
    return None


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
