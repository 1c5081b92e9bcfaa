"""The base model that a reference means: a folder, a run, an export or a known name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas.pipelines.source import HUB, is_hub_reference, local_folder, model_name
from nas.runs.bundled.naming import named_run
from nas.runs.directory import is_run
from search_spaces.files.paths import local_path
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import read_context_tokens, read_unet_config
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES, known_config
from search_spaces.known.bundled import BUNDLED_MODELS, named_folder
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS
from search_spaces.unets.space import UNetSpace

ROOM_FOR_COPIES: Final = 64  # per block: any architecture that somebody may have made


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """What an architecture is an architecture of.

    Attributes:
        name: For the record.
        config: Of the base UNet.
        context_tokens: Text tokens that it reads: its pipeline's, else CLIP's.
        space: Its search space, with room for any number of copies.
    """

    name: str
    config: dict[str, Any]
    context_tokens: int
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
    config, tokens = None if local_path(reference).exists() else known_config(str(reference)), None
    if config is None:
        if not named_folder(reference).exists() and not is_hub_reference(reference):
            names = [known for known in (*BASE_CONFIGS, *KNOWN_ARCHITECTURES) if known_config(known) is not None]
            raise UserError(
                f"there is no model {reference}; give a folder with a UNet, {HUB}ORG/NAME, or a known name: "
                f"{', '.join((*BUNDLED_MODELS, *names))}"
            )
        folder = local_folder(reference, weights=False)
        config, tokens = read_unet_config(folder), read_context_tokens(folder)
    return BaseModel(
        name=name or model_name(reference),
        config=config,
        context_tokens=tokens or DEFAULT_CONTEXT_TOKENS,
        space=space_from_config(config, max_copies=ROOM_FOR_COPIES),
    )


def base_of(reference: str, /) -> BaseModel:
    """The base model of whatever a reference means: a run's, a named architecture's, or itself.

    Raises:
        ValueError: A spec, which does not hold its base model; or nothing that can be read.
    """
    path = named_run(reference)
    if is_run(path):
        if not isinstance(model := read_yaml(path / "config.yaml").get("model"), str):
            raise UserError(f"{path / 'config.yaml'} must name its `model`, but has {model!r}; name the base model")
        return base_model(model)
    if path.is_file():
        raise UserError(f"{path} is a spec, which does not hold its base model; name the base model first")
    if not path.exists() and reference in KNOWN_ARCHITECTURES and known_config(reference) is None:
        return base_model(KNOWN_ARCHITECTURES[reference].base)
    return base_model(reference)


def origin_of(reference: str, /) -> BaseModel:
    """The base model that an architecture was made of: a named one's, else as `base_of`.

    Raises:
        ValueError: As `base_of`.
    """
    known = None if local_path(reference).exists() else KNOWN_ARCHITECTURES.get(reference)
    return base_of(reference) if known is None else base_model(known.base)
