"""The last folder: the UNet of one stage and the decoder of another, a pipeline that plain diffusers runs."""

import shutil
from pathlib import Path
from typing import Final

from nas.export.forms import PICKLES
from nas.pipelines.index import INDEX
from nas.pipelines.model_folder import ModelFolder, differing_latents
from nas.stages.outcome import Outcome
from nas.stages.settings import FOLDER, PipelineSettings, StageKind, stage_of
from search_spaces.files.durable.places import PlaceError, sweep_beside
from search_spaces.files.durable.writing import whole
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED

_WITH_UNET: Final = (StageKind.SEARCH, StageKind.TRAINING, StageKind.STEPS)
DEFAULT_STEPS: Final = 50


def chosen_unet(settings: PipelineSettings, outcomes: dict[str, Outcome], /) -> Outcome | None:
    """The stage whose UNet the last folder has; None = the base model's own."""
    if settings.final.unet is not None:
        return outcomes[stage_of(settings.final.unet)]
    names = [name for name in settings.stages if settings.kind(name) in _WITH_UNET]
    return outcomes[names[-1]] if names else None


def chosen_decoder(settings: PipelineSettings, outcomes: dict[str, Outcome], /) -> Outcome | None:
    """The stage whose decoder it has; None = that of the UNet's pipeline."""
    if settings.final.decoder is not None:
        return outcomes[stage_of(settings.final.decoder)]
    names = [name for name in settings.stages if settings.kind(name) is StageKind.DECODER]
    return outcomes[names[-1]] if names else None


def write_final(settings: PipelineSettings, outcomes: dict[str, Outcome], /, *, base: ModelFolder, out: Path) -> Path:
    """Write the folder, whole or not at all.

    Args:
        settings: Which stages it is made of.
        outcomes: What they gave.
        base: What is taken where no stage gave one.
        out: The pipeline's directory.

    Returns:
        The folder.

    Raises:
        UserError: The decoder is of other latents, or something else stands in the folder's place.
        StorageError: The disk refuses.
    """
    unet, decoder = chosen_unet(settings, outcomes), chosen_decoder(settings, outcomes)
    folder, source = out / FOLDER, base.path if unet is None else unet.folder
    sweep_beside(folder)
    if decoder is not None:
        _check_fits(decoder, source)
    with whole(folder, check=_check_ours) as part:
        shutil.copytree(source, part, ignore=shutil.ignore_patterns(*PICKLES))
        if decoder is not None:
            shutil.rmtree(part / "vae")
            shutil.copytree(decoder.folder / "vae", part / "vae")
        steps = num_steps(settings, outcomes)
        (part / "README.md").write_text(_card(part, steps, settings.final.guidance_scale), encoding="utf-8")
        ModelFolder(part)
    return folder


def _check_fits(decoder: Outcome, source: Path) -> None:
    """Check that a decoder reads the latents that a UNet's pipeline draws.

    Raises:
        UserError: It does not.
    """
    if differing := differing_latents(ModelFolder(decoder.folder), ModelFolder(source)):
        raise UserError(
            f"the decoder of {decoder.folder} must read the latents of {source}, but it was made for others: "
            f"{differing}; distil the decoder of the pipeline's own `model`"
        )


def _check_ours(old: Path) -> None:
    """Check that what stands in the last folder's place is one, before it is replaced.

    Raises:
        PlaceError: It is something else.
    """
    if not (old / INDEX).is_file():
        raise PlaceError(f"{old} must be the last folder of a pipeline, but holds other things; move them")


def num_steps(settings: PipelineSettings, outcomes: dict[str, Outcome], /) -> int:
    """Steps that the last folder is drawn in."""
    unet = chosen_unet(settings, outcomes)
    learned = None if unet is None else unet.num_steps
    return settings.final.num_steps or learned or DEFAULT_STEPS


def _card(folder: Path, steps: int, scale: float) -> str:
    """How to draw with it."""
    ours = SEARCHED in (folder / "unet" / "config.json").read_text(encoding="utf-8")
    first = "import search_spaces.searched_unet  # its UNet is none of diffusers' own\n" if ours else ""
    return (
        f"# A text-to-image model that draws in {steps} steps\n\nMade by `nas pipeline` of snapfusion-nas.\n\n"
        f"```python\n{first}from diffusers import DiffusionPipeline\n\n"
        'pipeline = DiffusionPipeline.from_pretrained("final")\n'
        f'picture = pipeline("a caption", num_inference_steps={steps}, guidance_scale={scale:g}).images[0]\n```\n'
    )
