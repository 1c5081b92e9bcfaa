"""Reading an experiment: YAML, overrides, paths, every problem at once. No framework is imported for it."""

import reprlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import Any, Final

from latency.sources.registry import source_door
from nas.config.bundled import bundled
from nas.config.sections import ExperimentConfig, LatencySourceSettings, with_before
from nas.evaluation.settings import is_tag
from nas.pipelines.source import is_hub_reference, local_folder
from nas.settings import SettingsError, read
from search_spaces.files.paths import local_path
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.strict_yaml import MAX_BYTES, YamlError, parse_yaml, read_yaml
from search_spaces.files.user_error import UserError
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES

_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


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
    path = local_path(path)
    if isinstance(overrides, (str, Mapping)):
        raise ConfigError(
            f'overrides must be a list of texts such as ["search.target_ratio=0.5"], but got {overrides!r}'
        )
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give the YAML file of an experiment in it")
    if not path.is_file():
        raise ConfigError(f"there is no config {path}; `nas init {path}` writes one that works")
    typed: set[str] = set()
    try:
        data = read_yaml(path)
        for override in overrides:
            key, value = _parsed(override)
            if key in typed:
                raise ConfigError(f"{key} is given twice on top of the file, last as {_SHORT.repr(value)}; keep one")
            _apply(data, key, value)
            typed.add(key)
        config = read(ExperimentConfig, data, name=str(path))
    except (YamlError, SettingsError) as error:
        raise ConfigError(str(error)) from None

    def absolute(key: str, given: Path) -> Path:
        """What a setting's path means."""
        folder = Path.cwd() if any(key == each or key.startswith(f"{each}.") for each in typed) else path.parent
        try:
            found = (folder / given.expanduser()).resolve()
            str(found).encode()  # what is stored must be text
            with suppress(FileNotFoundError, NotADirectoryError):
                found.stat()  # raises for names that no file system takes
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~somebody who is unknown here
            raise ConfigError(f"{path}: {key}: {_SHORT.repr(str(given))} is no path: {_reason(error)}") from None
        return found if found.exists() else bundled(key, str(given)) or found

    try:
        return _resolved(config, absolute)
    except ConfigError:
        raise
    except UserError as error:
        raise ConfigError(f"{path}: {error}") from error


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
        return f"\nThe run was written by snapfusion-nas {wrote} and is read by {reads}; use the version that wrote it"
    return ""


def stored_values(path: Path, /) -> dict[str, Any]:
    """The same as plain values, every setting there, so that two configs can be compared.

    Raises:
        ConfigError: It cannot be read.
    """
    return stored_config(path).plain()


def _reason(error: Exception) -> str:
    """Why something is no path, without the path."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


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


def _resolved(config: ExperimentConfig, absolute: Callable[[str, Path], Path]) -> ExperimentConfig:
    """Every path absolute, and a model of the hub fetched: what a run stores means the same from everywhere."""
    if is_hub_reference(config.model):
        config = replace(config, model=local_folder(config.model, variant=config.model_variant))
    clip, search = config.clip, config.search
    if clip is not None and clip.pretrained is None:
        clip = replace(clip, model=str(absolute("clip.model", Path(clip.model))))
    elif clip is not None and clip.pretrained is not None and not is_tag(clip.pretrained):
        clip = replace(clip, pretrained=str(absolute("clip.pretrained", Path(clip.pretrained))))
    if search.start is not None and not is_hub_reference(search.start):
        start = absolute("search.start", Path(search.start))
        if start.exists() or search.start not in {*BASE_CONFIGS, *KNOWN_ARCHITECTURES}:
            search = replace(search, start=str(start))
    config = replace(config, clip=clip, search=search, latency_source=_with_source_paths(config, absolute))
    resolved: ExperimentConfig = _with_paths(config, absolute)
    return resolved


def _with_source_paths(config: ExperimentConfig, absolute: Callable[[str, Path], Path]) -> LatencySourceSettings:
    """A latency source whose paths are absolute, those that it has by default included."""
    source = config.latency_source
    if source.name is None:
        return source
    kind = source_door().find(source.name)
    defaults = {each.name: each.default for each in fields(kind.settings)}
    settings = dict(source.settings)
    for name in kind.paths:
        value = settings.get(name, defaults.get(name))
        if isinstance(value, str):
            path = absolute(f"latency_source.settings.{name}", Path(value))
            settings[name] = str(path) if path.exists() or value not in {*BASE_CONFIGS, *KNOWN_ARCHITECTURES} else value
    return replace(source, settings=settings)


def _with_paths(section: Any, absolute: Callable[[str, Path], Path], prefix: str = "") -> Any:
    """Settings whose paths are absolute, those of all sections below included."""
    changed: dict[str, Any] = {}
    for each in fields(section):
        value, key = getattr(section, each.name), prefix + each.name
        if isinstance(value, Path):
            changed[each.name] = absolute(key, value)
        elif is_dataclass(value):
            changed[each.name] = _with_paths(value, absolute, f"{key}.")
    return replace(section, **changed)
