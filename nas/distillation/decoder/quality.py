"""How near the pictures of two decoders are, and what each costs: PSNR, SSIM, a perceptual distance, time."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from latency.exporters.extras import load_extra
from nas.evaluation.clip.model import ClipModel
from nas.scores.intervals import Interval, mean_interval

NUM_TIMED: Final = 11
_SMALLEST: Final = 1e-10  # mean squared error of pictures that are the same: 100 dB


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How near a decoder's pictures are to its teacher's, picture by picture; intervals of 95 %.

    Attributes:
        psnr_db: Peak signal to noise ratio.
        ssim: Structural similarity; 1 = the same.
        perceptual: 1 less the cosine of CLIP's features; None = not measured.
    """

    psnr_db: Interval
    ssim: Interval
    perceptual: Interval | None


def nearness(
    pictures: Float[Tensor, "n 3 h_px w_px"], wanted: Float[Tensor, "n 3 h_px w_px"], /, *, clip: Path | None
) -> Nearness:
    """How near pictures in [0, 1] are to others.

    Args:
        pictures: A decoder's.
        wanted: Its teacher's.
        clip: OpenCLIP folder for the perceptual distance; None = not measured.

    Raises:
        MissingExtraError: torchmetrics is not installed.
    """
    functional = load_extra("torchmetrics.functional.image", extra="metrics")
    errors = ((pictures - wanted) ** 2).mean(dim=(1, 2, 3)).clamp(min=_SMALLEST)
    psnr: Tensor = -10 * errors.log10()
    ssim: Tensor = functional.structural_similarity_index_measure(pictures, wanted, data_range=1.0, reduction="none")
    perceptual = None
    if clip is not None:
        model = ClipModel(str(clip))
        one, other = (model.embed_pictures(each).float() for each in (pictures, wanted))
        perceptual = mean_interval((1 - F.cosine_similarity(one, other)).tolist())
    return Nearness(psnr_db=mean_interval(psnr.tolist()), ssim=mean_interval(ssim.tolist()), perceptual=perceptual)


@torch.inference_mode()
def decoding_ms(one: AutoencoderKL, other: AutoencoderKL, /, *, z: Float[Tensor, "1 c h w"]) -> tuple[float, float]:
    """Median milliseconds in which two autoencoders decode, call by call in turn, on the device where they are."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(NUM_TIMED + 1):
        for vae, times in zip((one, other), took, strict=True):
            start = time.perf_counter()
            vae.decode(z)
            if z.device.type == "cuda":
                torch.cuda.synchronize(z.device)
            times.append(1000 * (time.perf_counter() - start))
    return median(took[0][1:]), median(took[1][1:])  # the first call warms up
