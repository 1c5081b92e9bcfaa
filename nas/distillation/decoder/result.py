"""What a decoder distillation gives: the pipeline folder with its small decoder, and what that is worth."""

import json
import shutil
from dataclasses import asdict
from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from nas.distillation.decoder.card import card
from nas.distillation.decoder.job import DecoderJob
from nas.distillation.decoder.pruning import pruned
from nas.distillation.decoder.quality import Nearness, decoding_ms, nearness
from nas.export.forms import PICKLES
from nas.pipelines.autoencoder import Autoencoder
from nas.runs.records.tenths import first_tenth, last_tenth
from nas.training.loop import Training
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.user_error import UserError


def write_result(
    job: DecoderJob,
    /,
    *,
    small: AutoencoderKL,
    teacher: Autoencoder,
    held_out: Float[Tensor, "n c h w"],
    training: Training,
) -> None:
    """Write the pipeline folder, whole or not at all, and what it is; the state goes.

    Args:
        job: What was distilled.
        small: The autoencoder with the trained decoder.
        teacher: The one that it learned from.
        held_out: Latents that it never saw.
        training: What was done.

    Raises:
        UserError: Pictures that are no numbers.
        StorageError: The disk refuses; the same command writes it from the state.
        MissingExtraError: torchmetrics is not installed.
    """
    config, losses = job.config, training.losses
    untrained = pruned(teacher.vae, ratio=config.ratio, criterion=config.channels, seed=config.seed)
    wanted = pictures_of(teacher, held_out)

    def near(vae: AutoencoderKL) -> dict[str, Any]:
        own = Autoencoder(vae=vae.to(held_out.device), of_sdxl=teacher.of_sdxl)
        return _plain(nearness(pictures_of(own, held_out), wanted, clip=config.clip))

    before_ms, after_ms = decoding_ms(teacher.vae, small.eval(), z=teacher.unscaled(held_out[:1]))
    report: dict[str, Any] = {
        "model": job.model.name,
        "ratio": config.ratio,
        "channels": config.channels,
        "block_out_channels": {"before": list(teacher.vae.config.block_out_channels),
                               "after": list(small.config.block_out_channels)},
        "num_params": {"before": _num_params(teacher.vae), "after": _num_params(small)},
        "decoding_ms": {"before": before_ms, "after": after_ms},
        "num_held_out": len(held_out),
        "untrained": near(untrained),
        "trained": near(small),
        "iterations": training.num_steps,
        "first_loss": first_tenth(losses),
        "last_loss": last_tenth(losses),
    }  # fmt: skip
    with whole(job.folder.pipeline, check=lambda old: None) as part:  # ours: it stands in a directory of a training
        shutil.copytree(
            job.model.path, part, ignore=shutil.ignore_patterns(*PICKLES, "vae", "README.md"), dirs_exist_ok=True
        )
        small.to("cpu").save_pretrained(part / "vae", variant=job.model.variant)
        write_text(part / "README.md", card(report))
    job.folder.end(json.loads(json.dumps(report)))


@torch.inference_mode()
def pictures_of(autoencoder: Autoencoder, latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h_px w_px"]:
    """Pictures in [0, 1] on the CPU."""
    pictures = torch.cat([autoencoder.decode(part).float().cpu() for part in latents.split(16)])
    if broken := int((~pictures.isfinite().flatten(1).all(1)).sum()):
        raise UserError(
            f"decoders must give pictures of finite numbers, but {broken} of {len(pictures)} are not: how near those "
            "are cannot be said; train in a wider `training.precision`, or by a lower `training.learning_rate`"
        )
    return pictures


def _num_params(vae: AutoencoderKL) -> int:
    return sum(each.numel() for each in vae.decoder.parameters())


def _plain(found: Nearness) -> dict[str, Any]:
    return asdict(found)
