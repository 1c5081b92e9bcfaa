"""The command `nas distill decoder`: a live bar, and what the small decoder is worth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import logged_in, user_errors

if TYPE_CHECKING:
    from nas.distillation.decoder.job import DecoderJob


@user_errors
def decoder(
    config: Annotated[
        Path, typer.Argument(help="decoder distillation, a YAML file; `nas init FILE.yaml --of decoder` writes one")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="settings to change, such as ratio=0.5 training.iterations=1000", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="directory to work in (default: runs/<name of the config>)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="the setting seed: of noise, batches and channels")] = None,
) -> None:
    """Narrow the image decoder of a pipeline, and teach the narrow one the whole one's pictures.

    No picture is needed: the pipeline draws latents from captions alone, once, and keeps them.
    OUT/pipeline is then the pipeline with the small decoder, which plain diffusers opens; it
    cannot encode (its README.md says why). OUT/trained.json says how near its pictures are on
    latents that it never saw (PSNR, SSIM, and CLIP's features with `clip`), its parameters and
    milliseconds, before and after; OUT/samples shows both decoders' pictures.

    Ctrl-C ends the step and keeps the state; the same command goes on from there.

    Exit codes: 0 = distilled; 2 = unusable input, or a disk refuses; 1 = a fault (OUT/logs/driver.log);
    130 = interrupted.

    Example: nas distill decoder mine.yaml ratio=0.5 --out runs/small-decoder
    """
    folder = out or Path("runs") / config.stem
    with Screen(stderr=True).status("reading the config"):
        from nas.distillation.decoder.job import load_decoder_config

        extra = [f"seed={seed}"] if seed is not None else []
        loaded = load_decoder_config(config, overrides=(*(overrides or []), *extra))
    say(f"{config} -> {folder}")
    with Screen(stderr=True).status("loading libraries"):
        from nas.distillation.decoder.job import find_decoder

    with logged_in(folder):
        if not _distilled(find_decoder(loaded, folder)):
            raise KeyboardInterrupt


def _distilled(job: "DecoderJob") -> bool:
    """Distil with a bar, and say what came of it; whether it is done."""
    from nas.cli.training.bar import TrainingBar
    from nas.distillation.decoder.distil import distil

    screen, training = Screen(), job.config.training
    screen.sentence(
        f"{job.model.name}: {job.config.ratio:.0%} of the decoder's channels, {training.iterations:,} steps of "
        f"{training.batch_size} latents, of {job.config.latents.num:,} that {job.config.sampling.num_steps} steps draw"
    )
    with TrainingBar(screen, batch_size=training.batch_size, encoding="drawing latents") as bar:
        try:
            done = distil(job, listen=bar.show)
        except KeyboardInterrupt:
            done = None
    if done is None:
        screen.sentence(f"interrupted; the same command goes on with the distillation in {job.folder.path}")
        return False
    for line in _lines(done.report):
        screen.sentence(line)
    screen.sentence(f"the pipeline with the small decoder is {done.folder}")
    return True


def _lines(report: dict[str, Any]) -> list[str]:
    """What the small decoder is worth."""
    params, ms = report["num_params"], report["decoding_ms"]
    psnr = [f"{report[which]['psnr_db']['mean']:.1f}" for which in ("trained", "untrained")]
    ssim = [f"{report[which]['ssim']['mean']:.3f}" for which in ("trained", "untrained")]
    return [
        f"parameters {params['before']:,} -> {params['after']:,} ({params['before'] / params['after']:.2f} x fewer), "
        f"{ms['before']:.2f} -> {ms['after']:.2f} ms a picture here ({ms['before'] / ms['after']:.2f} x faster)",
        f"to the whole decoder's pictures of {report['num_held_out']} latents that it never saw: PSNR {psnr[0]} dB "
        f"({psnr[1]} before training), SSIM {ssim[0]} ({ssim[1]})",
    ]
