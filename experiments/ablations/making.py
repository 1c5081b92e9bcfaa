"""The folder of a case: trained where it is not yet, by the command that a user would give."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import nas
from experiments.ablations.plan import Ablations, Kind
from nas.export.forms import write_pipeline
from nas.pipelines.source import find_model
from nas.training.data.readers.metadata import METADATA
from search_spaces import Action
from search_spaces.files.durable.writing import whole
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet

MODEL = "shapes"
TRAINED_ON: Final = "python -m search_spaces.shapes runs/shapes-pictures --num 1024"
COMPARED_WITH: Final = "python -m experiments.shapes.real_pictures runs/shapes/real --num 512"


def check_pictures(folders: Mapping[str, Path | None], /) -> None:
    """Refuse before anything is trained, and not when the first case is to be compared.

    Args:
        folders: Of pictures, by the command that draws them; None = none are asked for.

    Raises:
        UserError: Some are missing; with the commands.
    """
    missing = [
        f"there are no pictures in {folder}; `{command}` draws them"
        for command, folder in folders.items()
        if folder is not None and not any((folder / name).is_file() for name in METADATA)
    ]
    if missing:
        raise UserError("\n".join(missing))


def folder_of(ablations: Ablations, name: str, /, *, out: Path) -> Path | str:
    """Train a case, or go on, or find that it is done.

    Args:
        ablations: All cases.
        name: Of the case.
        out: Of all of them; each has a directory in it.

    Returns:
        Its pipeline folder, or the bundled model.

    Raises:
        UserError: The directory is of a case with other settings.
        KeyboardInterrupt: It was stopped; the same call goes on.
    """
    kind, place = ablations.cases[name].kind, out / "cases" / name
    if kind is Kind.MODEL:
        return MODEL
    config, overrides = ablations.configs[kind], overrides_of(ablations, name, out=out)
    if kind is Kind.TRAINING:
        return nas.run_training(config, out=place, overrides=overrides)
    distil = nas.distill_steps if kind is Kind.STEPS else nas.distill_decoder
    return distil(config, out=place, overrides=overrides).folder


def overrides_of(ablations: Ablations, name: str, /, *, out: Path) -> tuple[str, ...]:
    """What a case changes of its kind's config: pictures, what all of its kind change, its own."""
    case = ablations.cases[name]
    places = {
        Kind.STEPS: {"training.pictures": str(ablations.pictures), "picture_cache": str(out / "pictures")},
        Kind.TRAINING: {"robust_training.pictures": str(ablations.pictures)},
    }
    changed = {**places.get(case.kind, {}), **ablations.settings.get(case.kind, {}), **case.set}
    return tuple(f"{key}={json.dumps(value)}" for key, value in changed.items())


def without(blocks: Sequence[str], folder: Path | str, /, *, place: Path) -> Path | str:
    """A pipeline folder without some blocks of its UNet, which is written once; the folder itself where there are none.

    Args:
        blocks: By name, such as `cross_attention[down.0,0]`.
        folder: With them.
        place: Where the other one stands.
    """
    if not blocks or place.exists():
        return place if blocks else folder
    model = find_model(folder)
    supernet = Supernet(model.load_unet())
    architecture = supernet.space.base
    for block in blocks:
        architecture = Action.parse(f"-{block}").apply(architecture)
    with whole(place) as part:
        part.mkdir()
        write_pipeline(part, supernet, architecture=architecture, base_config=model.unet_config(), model=model)
    return place
