"""Reading an experiment: YAML, overrides, paths, every problem at once. No framework is imported for it."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from nas.config.identity.covered import with_before
from nas.config.jobs.kinds import Job, check_job
from nas.config.places.absolute_paths import Absolute, absolute_path, with_absolute_paths
from nas.config.sections import ExperimentConfig
from nas.settings import SettingsError, read
from search_spaces.files.paths import PathError, local_path, no_such_file
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.strict_yaml import MAX_BYTES, YamlError, parse_yaml, read_yaml
from search_spaces.files.user_error import UserError

T = TypeVar("T")
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


class Place(Protocol[T]):
    """Makes the paths of settings absolute."""

    def __call__(self, config: T, /, *, absolute: Absolute) -> T:
        """The settings with absolute paths."""
        ...


class ConfigError(UserError):
    """A config that cannot be read; the message lists every problem with its place."""


def load_config(path: str | PathLike[str], /, *, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment.

    Args:
        path: YAML file. Its relative paths are relative to its folder.
        overrides: "search.target_ratio=0.5" and the like; values are YAML. Their relative paths are relative to the
            working directory, where they are typed.

    Raises:
        ConfigError: The file is missing or breaks a law; the message lists every problem.
    """
    remedy = f"`nas init {local_path(path)}` writes one that works"
    return load_settings(
        ExperimentConfig, path, job=Job.SEARCH, overrides=overrides, place=with_absolute_paths, remedy=remedy
    )


def load_settings(
    kind: type[T],
    path: str | PathLike[str],
    /,
    *,
    job: Job,
    overrides: Sequence[str] = (),
    place: Place[T],
    remedy: str,
) -> T:
    """Read settings of any kind from a YAML file, with every path made absolute.

    Args:
        kind: Class of the settings.
        path: YAML file. Its relative paths are relative to its folder.
        job: Whose file it is.
        overrides: "training.iterations=100" and the like; see `load_config`.
        place: Makes the paths of such settings absolute; `with_paths` does where all are of type `Path`.
        remedy: What helps where there is no such file.

    Raises:
        ConfigError: The file is missing or breaks a law; the message lists every problem.
    """
    path = local_path(path)
    if isinstance(overrides, (str, Mapping)):
        raise ConfigError(
            f'overrides must be a list of texts such as ["search.target_ratio=0.5"], but got {overrides!r}'
        )
    if not path.is_file():
        raise ConfigError(no_such_file(path, what="config", remedy=remedy))
    typed: set[str] = set()
    try:
        data = read_yaml(path)
        check_job(data, path=path, wanted=job)
        for override in overrides:
            key, value = _parsed(override)
            if key in typed:
                raise ConfigError(f"{key} is given twice on top of the file, last as {_SHORT.repr(value)}; keep one")
            _apply(data, key, value)
            typed.add(key)
        config = read(kind, data, name=str(path))
    except ConfigError:
        raise
    except UserError as error:
        raise ConfigError(str(error)) from None

    def absolute(key: str, given: Path) -> Path:
        """What a setting's path means."""
        folder = Path.cwd() if any(key == each or key.startswith(f"{each}.") for each in typed) else path.parent
        try:
            return absolute_path(given, key=key, folder=folder)
        except PathError as error:
            raise ConfigError(f"{path}: {key}: {error}") from None

    try:
        return place(config, absolute=absolute)
    except ConfigError:
        raise
    except UserError as error:
        raise ConfigError(f"{path}: {error}") from error


def given_config(
    config: str | PathLike[str] | ExperimentConfig, /, *, overrides: Sequence[str] = ()
) -> ExperimentConfig:
    """An experiment that was given as itself, or as the path of its file; see `given_settings`."""
    return given_settings(config, ExperimentConfig, overrides=overrides, load=load_config)


def given_settings(config: Any, kind: type[T], /, *, overrides: Sequence[str], load: Callable[..., T]) -> T:
    """Settings that were given as themselves, or as the path of their file.

    Args:
        config: Either.
        kind: Class of the settings.
        overrides: Settings to change in what the file says.
        load: Reads a path with `overrides`.

    Raises:
        UserError: The file breaks a law, or overrides come with settings, which they cannot change.
    """
    if not isinstance(config, kind):
        return load(config, overrides=overrides)
    if overrides:
        raise UserError(
            f"overrides change what a file says, but a config was given with {list(overrides)}; give its path"
        )
    return config


def stored_config(path: Path, /) -> ExperimentConfig:
    """The config of a run, or one that it had before; settings that an older run did not know are as it had them.

    Args:
        path: `config.yaml` of a run, or a file of `earlier/`.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return read(ExperimentConfig, with_before(read_yaml(path)), name=str(path))
    except (YamlError, SettingsError) as error:
        raise ConfigError(f"{error}{_written_by(path)}") from None


def _written_by(path: Path) -> str:
    """Which version wrote a stored config, as a last line for its errors; empty when the run does not say."""
    for folder in path.parents[:2]:  # an earlier config lies in `earlier/`
        try:
            libraries = read_json_object(folder / "environment.json")["libraries"]
            wrote, reads = libraries["snapfusion-nas"], metadata.version("snapfusion-nas")
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if wrote == reads:
            return f"\nThe run was written by this version, snapfusion-nas {reads}, too: take back what was edited"
        return f"\nThe run was written by snapfusion-nas {wrote} and is read by {reads}; use the version that wrote it"
    return ""


def stored_values(path: Path, /) -> dict[str, Any]:
    """The same as plain values, every setting there, so that two configs can be compared.

    Raises:
        ConfigError: It cannot be read.
    """
    return stored_config(path).plain()


def _parsed(override: str) -> tuple[str, Any]:
    """Key and value of an override."""
    if not isinstance(override, str):
        raise ConfigError(f"an override is a text such as 'search.target_ratio=0.5', but got {override!r}")
    key, equals, value = override.partition("=")
    shown = _SHORT.repr(override)
    if not equals or not all(key.split(".")):
        raise ConfigError(f"an override is written key=value, such as search.target_ratio=0.5, but got {shown}")
    if len(value) > MAX_BYTES:
        raise ConfigError(f"an override must have at most {MAX_BYTES:,} characters, but {shown} has {len(override):,}")
    return key, parse_yaml(value, name=f"the value of the override {shown}")


def _apply(data: dict[str, Any], key: str, value: Any) -> None:
    """Change a setting of a config."""
    *sections, last = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise ConfigError(f"the override {key}=... cannot be applied: {section} is not a section")
    data[last] = value
