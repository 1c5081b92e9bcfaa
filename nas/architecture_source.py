"""Where architectures come from: a run, a spec, an export, anybody's stock UNet folder, or a known name.

All of them are read as architectures of one space, that of the base model. No weights are loaded here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas.pipelines.source import HUB, is_hub_reference, model_folder, model_name
from nas.runs.directory import is_run, read_yaml
from nas.runs.spec import SPEC_NAME, check_base, read_spec
from search_spaces.alignment import aligned
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.diffusers_config import space_from_config
from search_spaces.known import BASE_CONFIGS, KNOWN_ARCHITECTURES, base_space, known_config
from search_spaces.loading import SEARCHED, read_unet_config, unet_folder
from search_spaces.unet_space import UNetSpace

ROOM_FOR_COPIES: Final = 64  # per block: any architecture that somebody may have made


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


def base_model(reference: str | Path, /, *, name: str | None = None) -> BaseModel:
    """The base model that a reference means: a folder's UNet, one of the hub, or a known name.

    A folder with a searched UNet stands for the base model that it was found in.

    Args:
        reference: A folder, "hub:ORG/NAME" or a known name.
        name: For the record; None = as the reference says.

    Raises:
        ValueError: None of these; the message lists the names.
    """
    config = None if Path(reference).exists() else known_config(str(reference))
    if config is None:
        if not Path(reference).exists() and not is_hub_reference(reference):
            names = [each for each in (*BASE_CONFIGS, *KNOWN_ARCHITECTURES) if known_config(each) is not None]
            raise ValueError(
                f"there is no model {reference}; give a folder with a UNet, {HUB}ORG/NAME, or a known name: "
                f"{', '.join(names)}"
            )
        config = read_unet_config(model_folder(reference, weights=False))
    return BaseModel(
        name=name or model_name(reference),
        config=config,
        space=space_from_config(config, max_copies=ROOM_FOR_COPIES),
    )


def base_of(reference: str, /) -> BaseModel:
    """The base model of whatever a reference means: a run's, a named architecture's, or itself.

    Raises:
        ValueError: A spec, which does not hold its base model; or nothing that can be read.
    """
    path = Path(reference)
    if is_run(path):
        if not isinstance(model := read_yaml(path / "config.yaml").get("model"), str):
            raise ValueError(f"{path / 'config.yaml'} must name its `model`, but has {model!r}; name the base model")
        return base_model(model)
    if path.is_file():
        raise ValueError(f"{path} is a spec, which does not hold its base model; name the base model first")
    if not path.exists() and reference in KNOWN_ARCHITECTURES and known_config(reference) is None:
        return base_model(KNOWN_ARCHITECTURES[reference].base)
    return base_model(reference)


def origin_of(reference: str, /) -> BaseModel:
    """The base model that an architecture was made of: a named one's, else as `base_of`.

    Raises:
        ValueError: As `base_of`.
    """
    known = None if Path(reference).exists() else KNOWN_ARCHITECTURES.get(reference)
    return base_of(reference) if known is None else base_model(known.base)


def read_architecture(reference: str | Path, /, *, base: BaseModel) -> Architecture:
    """The architecture that a reference means, in the space of a base model.

    Args:
        reference: A run directory, `architecture.json` or another spec, a pipeline or UNet folder (ours or stock, here
            or on the hub), or a known name.
        base: The base model.

    Raises:
        ValueError: Nothing that can be read, an unfinished run, or an architecture of another base model.
    """
    path, name = Path(reference), str(reference)
    if path.is_file() or is_run(path) or (path / SPEC_NAME).is_file():
        file = path if path.is_file() else path / SPEC_NAME
        architecture, spec = read_spec(file)
        check_base(spec, space=base.space, name=base.name, path=file)
    elif path.is_dir() or is_hub_reference(reference):
        architecture = architecture_of_folder(model_folder(reference, weights=False), base=base)
    elif (known := KNOWN_ARCHITECTURES.get(name)) is not None and known_config(name) == base.config:
        architecture = base.space.base
    elif known is not None:
        if base_space(known.base).base != base.space.base:
            raise ArchitectureError(f"{name} is an architecture of {known.base}, but the base model is {base.name}")
        architecture = known.build()
    elif name in BASE_CONFIGS:
        architecture = _aligned(BASE_CONFIGS[name], name, base)
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


def own_architecture(reference: str, /, *, base: BaseModel) -> Architecture:
    """The architecture of what a base model was read from: a folder's own UNet, whatever it was once cut out of.

    Args:
        reference: As given to `base_of` or `origin_of`.
        base: What they made of it.

    Raises:
        ValueError: As `read_architecture`.
    """
    if is_hub_reference(reference) or (Path(reference).is_dir() and not is_run(Path(reference))):
        return architecture_of_folder(model_folder(reference, weights=False), base=base)
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
