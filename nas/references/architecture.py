"""Where architectures come from: a run, a spec, an export, anybody's stock UNet folder, or a known name.

All of them are read as architectures of one space, that of the base model. No weights are loaded here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.pipelines.source import is_hub_reference, local_folder
from nas.references.base_model import BaseModel
from nas.runs.bundled.naming import named_run
from nas.runs.directory import is_run
from nas.runs.spec import SPEC_NAME, check_base, read_spec
from search_spaces.alignment import aligned
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import SEARCHED, read_unet_config, unet_folder
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES, base_space, known_config
from search_spaces.known.bundled import BUNDLED_MODELS, named_folder
from search_spaces.unets.diffusers_config import space_from_config


def read_architecture(reference: str | Path, /, *, base: BaseModel) -> Architecture:
    """The architecture that a reference means, in the space of a base model.

    Args:
        reference: A run directory or a bundled run's name, `architecture.json` or another spec, a pipeline or UNet
            folder (ours or stock, here or on the hub), or a known name.
        base: The base model.

    Raises:
        ValueError: Nothing that can be read, an unfinished run, or an architecture of another base model.
    """
    path, name = named_run(reference), str(reference)
    if path.is_file() or is_run(path) or (path / SPEC_NAME).is_file():
        file = path if path.is_file() else path / SPEC_NAME
        architecture, spec = read_spec(file)
        check_base(spec, space=base.space, name=base.name, path=file)
    elif path.is_dir() or is_hub_reference(reference) or (name in BUNDLED_MODELS and not path.exists()):
        architecture = architecture_of_folder(local_folder(reference, weights=False), base=base)
    elif (known := KNOWN_ARCHITECTURES.get(name)) is not None and known_config(name) == base.config:
        architecture = base.space.base
    elif known is not None:
        if base_space(known.base).base != base.space.base:
            raise ArchitectureError(f"{name} is an architecture of {known.base}, but the base model is {base.name}")
        architecture = known.build()
    elif name in BASE_CONFIGS:
        architecture = _aligned(BASE_CONFIGS[name], name, base)
    else:
        raise UserError(
            f"there is no architecture {name}; give a run, a spec, a folder with a UNet, or a known name: "
            f"{', '.join((*BUNDLED_MODELS, *BASE_CONFIGS, *KNOWN_ARCHITECTURES))}"
        )
    try:
        base.space.check(architecture)
    except ArchitectureError as error:
        raise ArchitectureError(f"{name} is no architecture of {base.name}: {error}") from error
    return architecture


def own_architecture(reference: str, /, *, base: BaseModel) -> Architecture:
    """The architecture of what a base model was read from: a folder's own UNet, whatever it was once cut out of.

    Args:
        reference: As given to `base_of` or `origin_of`.
        base: What they made of it.

    Raises:
        ValueError: As `read_architecture`.
    """
    if is_hub_reference(reference) or (named_folder(reference).is_dir() and not is_run(named_run(reference))):
        return architecture_of_folder(local_folder(reference, weights=False), base=base)
    return read_architecture(reference, base=base)


def architecture_of_folder(path: Path, /, *, base: BaseModel) -> Architecture:
    """The architecture of the UNet in a folder, by its config alone.

    Raises:
        ValueError: No UNet, or one of another base model.
    """
    config, file = read_unet_config(path), unet_folder(path) / "config.json"
    if config["_class_name"] != SEARCHED:
        return _aligned(config, str(file), base)
    try:
        return Architecture.from_dict(config.get("architecture"))
    except ArchitectureError as error:
        raise ArchitectureError(f"`architecture` in {file}: {error}") from error


def _aligned(config: Mapping[str, Any], name: str, base: BaseModel) -> Architecture:
    try:
        return aligned(space_from_config(config), space=base.space)
    except ArchitectureError as error:
        raise ArchitectureError(f"{name} and {base.name}: {error}") from error
