"""Settings of an evaluation from a YAML file; its relative paths are relative to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nas.config.places.bundled import NAMED
from nas.curves.asked.settings import EvaluationSettings
from nas.settings import read
from search_spaces.files.paths import local_path
from search_spaces.files.strict_yaml import read_yaml

PATHS: Final = ("captions", "pictures", "images")
_BUNDLED: Final[Mapping[str, Mapping[str, Path]]] = {
    "clip": NAMED["clip.model"],
    "features": NAMED["clip.model"],
    "captions": NAMED["validation.captions"],
}


def read_values(path: Path, /) -> dict[str, Any]:
    """What a file says, as plain values with whole paths.

    Raises:
        UserError: It is missing, or no YAML mapping.
    """
    return with_whole_paths(read_yaml(local_path(path)), folder=local_path(path).parent)


def named(name: str, value: Any, /) -> Any:
    """What is bundled under a name: `shapes` is a CLIP and a file of captions; another value stays as it is.

    Args:
        name: Of the setting.
        value: What it is given as.
    """
    if isinstance(value, str) and value in (known := _BUNDLED.get(name, {})) and not Path(value).exists():
        return str(known[value])
    return value


def with_whole_paths(values: Mapping[str, Any], /, *, folder: Path) -> dict[str, Any]:
    """Values whose paths do not depend on the working folder.

    Args:
        values: As a file has them.
        folder: Of the file.
    """
    whole = {name: named(name, value) for name, value in values.items()}
    for name in PATHS:
        if isinstance(whole.get(name), str):
            whole[name] = str((folder / local_path(whole[name])).absolute())
    if isinstance(features := whole.get("features"), str) and (folder / features).exists():
        whole["features"] = str((folder / features).absolute())
    match whole.get("clip"):
        case {"model": str() as model, **more} if (model := str(named("clip", model))) and (folder / model).is_dir():
            whole["clip"] = {**more, "model": str((folder / model).absolute())}
    return whole


def made_of(values: Mapping[str, Any], /, *, name: str) -> EvaluationSettings:
    """Settings of plain values.

    Raises:
        SettingsError: They break laws; the message names every problem.
    """
    return read(EvaluationSettings, values, name=name)
