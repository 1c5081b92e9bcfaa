"""Where architectures come from: a run, a spec, an export, anybody's stock UNet folder, or a known name.

All of them are read as architectures of one space, that of the base model. No weights are loaded here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.model_source import HUB, model_folder
from nas.spec import SPEC_NAME, check_base, read_spec
from search_spaces.alignment import aligned
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.diffusers_config import space_from_config
from search_spaces.known import BASE_CONFIGS, KNOWN_ARCHITECTURES, base_space, known_config
from search_spaces.loading import SEARCHED, read_unet_config, unet_folder
from search_spaces.unet_space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """What an architecture is an architecture of.

    Attributes:
        name: For the record.
        config: Of the base UNet.
        space: Its search space, with room for any number of copies.
    """

    name: str
    config: dict[str, Any]
    space: UNetSpace


def base_model(reference: str | Path, /, *, max_copies: int = 64) -> BaseModel:
    """The base model that a reference means: a folder's UNet, or a known name.

    A folder with a searched UNet stands for the base model that it was found in.

    Raises:
        ValueError: Neither a folder with a UNet nor a known name; the message lists the names.
    """
    name = str(reference)
    if not Path(reference).exists() and (config := known_config(name)) is not None:
        return BaseModel(name=name, config=config, space=space_from_config(config, max_copies=max_copies))
    if not Path(reference).exists() and not name.startswith(HUB):
        raise ValueError(
            f"there is no model {name}; give a folder with a UNet, {HUB}ORG/NAME, or a known name: "
            f"{', '.join((*BASE_CONFIGS, *KNOWN_ARCHITECTURES))}"
        )
    config = read_unet_config(model_folder(reference, weights=False))
    return BaseModel(
        name=Path(reference).resolve().name,
        config=config,
        space=space_from_config(config, max_copies=max_copies),
    )


def read_architecture(reference: str | Path, /, *, base: BaseModel) -> Architecture:
    """The architecture that a reference means, in the space of a base model.

    Args:
        reference: A run directory, `architecture.json` or another spec, a pipeline or UNet folder (ours or stock), or
            a known name.
        base: The base model.

    Raises:
        ValueError: Nothing that can be read, or an architecture of another base model; the message says which.
    """
    path, name = Path(reference), str(reference)
    if path.is_file():
        architecture, spec = read_spec(path)
        check_base(spec, space=base.space, name=base.name, path=path)
    elif path.is_dir() and (path / SPEC_NAME).is_file():
        return read_architecture(path / SPEC_NAME, base=base)
    elif path.is_dir():
        architecture = _of_folder(path, base)
    elif name in KNOWN_ARCHITECTURES:
        known = KNOWN_ARCHITECTURES[name]
        architecture = known.build()
        if base_space(known.base).base != base.space.base:
            raise ArchitectureError(f"{name} is an architecture of {known.base}, but the base model is {base.name}")
    elif name in BASE_CONFIGS:
        architecture = aligned(base_space(name), space=base.space)
    else:
        raise ValueError(
            f"there is no architecture {name}; give a run, a spec, a folder with a UNet, or a known name: "
            f"{', '.join((*BASE_CONFIGS, *KNOWN_ARCHITECTURES))}"
        )
    try:
        base.space.check(architecture)
    except ArchitectureError as error:
        raise ArchitectureError(f"{name} is no architecture of {base.name}: {error}") from error
    return architecture


def _of_folder(path: Path, base: BaseModel) -> Architecture:
    config = read_unet_config(path)
    if config["_class_name"] == SEARCHED:
        return Architecture.from_dict(config["architecture"])
    try:
        return aligned(space_from_config(config), space=base.space)
    except ArchitectureError as error:
        raise ArchitectureError(f"{unet_folder(path)} and {base.name}: {error}") from error
