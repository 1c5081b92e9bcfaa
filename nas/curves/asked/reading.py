"""Settings of an evaluation from a YAML file; its relative paths are relative to it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nas.config.jobs.kinds import Job, check_job
from nas.config.places.bundled import NAMED
from nas.curves.asked.settings import EvaluationSettings
from nas.settings import read
from search_spaces.files.paths import PathError, is_there, local_path, no_such_file
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

PATHS: Final = ("captions", "pictures", "images")
_BUNDLED: Final[Mapping[str, Mapping[str, Path]]] = {
    "clip": NAMED["clip.model"],
    "features": NAMED["clip.model"],
    "captions": NAMED["validation.captions"],
}


def read_values(path: Path, /) -> dict[str, Any]:
    """What a file says, as plain values with whole paths.

    Raises:
        UserError: It is missing, no YAML mapping, another job's, or names a place that cannot be.
    """
    path = local_path(path)
    if not path.is_file():
        raise UserError(no_such_file(path, what="evaluation", remedy=f"`nas init {path} --of evaluation` writes one"))
    values = read_yaml(path)
    check_job(values, path=path, wanted=Job.EVALUATION)
    try:
        return with_whole_paths(values, folder=path.parent)
    except PathError as error:
        raise PathError(f"{path}: {error}") from error


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

    Raises:
        PathError: One names a place that cannot be.
    """
    whole = {name: named(name, value) for name, value in values.items()}
    for name in PATHS:
        if isinstance(given := whole.get(name), str):
            try:
                whole[name] = str((folder / local_path(given)).absolute())
            except PathError as error:
                raise PathError(f"{name}: {error}") from error
    if isinstance(features := whole.get("features"), str) and is_there(folder / features):
        whole["features"] = str((folder / features).absolute())
    match whole.get("clip"):
        case {"model": str() as model, **more} if (
            is_there(path := folder / str(named("clip", model))) and path.is_dir()
        ):
            whole["clip"] = {**more, "model": str(path.absolute())}
    return whole


def made_of(values: Mapping[str, Any], /, *, name: str) -> EvaluationSettings:
    """Settings of plain values.

    Raises:
        SettingsError: They break laws; the message names every problem.
    """
    return read(EvaluationSettings, values, name=name)
