"""The model card of a pipeline with a small decoder, its `README.md`. Pure."""

from collections.abc import Mapping
from typing import Any

_CARD = """\
# {model} with a small decoder

The pipeline of `{model}` with an image decoder of {ratio:.0%} of the channels, which learned the whole one's pictures
of latents that prompts alone gave. Made by snapfusion-nas, after SnapFusion (NeurIPS 2023). It inherits the licence and
the terms of use of `{model}`.

```python
from diffusers import DiffusionPipeline

pipeline = DiffusionPipeline.from_pretrained("PATH/OF/THIS/FOLDER")
picture = pipeline("a prompt").images[0]
```

**It cannot encode.** An `AutoencoderKL` has one list of widths for both of its halves, and nobody trained an encoder of
these: its weights are zeros, so that every picture gives the same latents, which say nothing. For pictures to latents
take the autoencoder of `{model}`, whose latents these are.

| | whole | this | ratio |
|---|---:|---:|---:|
| parameters of the decoder | {params_before:,} | {params_after:,} | {params_ratio:.2f} |
| ms per picture, batch 1, where it was made | {ms_before:.2f} | {ms_after:.2f} | {ms_ratio:.2f} |

| to the whole decoder's pictures, {num_held_out} held-out latents | untrained | trained |
|---|---:|---:|
| PSNR (dB) | {psnr_before} | {psnr_after} |
| SSIM | {ssim_before} | {ssim_after} |
{perceptual}
After {iterations:,} steps; mean squared error of the first and of the last tenth {first_loss:.6f}, {last_loss:.6f}.
"""


def card(report: Mapping[str, Any], /) -> str:
    """The card, in Markdown.

    Args:
        report: What is said of the distillation.
    """
    params, ms = report["num_params"], report["decoding_ms"]
    before, after = report["untrained"], report["trained"]
    perceptual = ""
    if after["perceptual"] is not None:
        distances = (_of(each["perceptual"], 4) for each in (before, after))
        perceptual = f"| 1 - cosine of CLIP's features | {' | '.join(distances)} |\n"
    return _CARD.format(
        **{key: report[key] for key in ("model", "ratio", "num_held_out", "iterations", "first_loss", "last_loss")},
        params_before=params["before"],
        params_after=params["after"],
        params_ratio=params["before"] / params["after"],
        ms_before=ms["before"],
        ms_after=ms["after"],
        ms_ratio=ms["before"] / ms["after"],
        psnr_before=_of(before["psnr_db"], 2),
        psnr_after=_of(after["psnr_db"], 2),
        ssim_before=_of(before["ssim"], 4),
        ssim_after=_of(after["ssim"], 4),
        perceptual=perceptual,
    )


def _of(interval: Mapping[str, float], digits: int) -> str:
    """A mean with its interval."""
    return f"{interval['mean']:.{digits}f} [{interval['low']:.{digits}f}, {interval['high']:.{digits}f}]"
