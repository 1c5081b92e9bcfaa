"""Every path of a config made absolute: what a run stores means the same from everywhere."""

import reprlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from latency.sources.registry import source_door
from nas.config.places.bundled import meant
from nas.config.sections import ExperimentConfig
from nas.evaluation.settings import THROUGH_CLIP, is_tag
from nas.pipelines.source import check_reference, is_hub_reference
from nas.settings import plain
from search_spaces.files.paths import PathError, local_path
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES

Absolute = Callable[[str, Path], Path]
S = TypeVar("S")
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120


def absolute_path(given: Path, /, *, key: str, folder: Path) -> Path:
    """What a setting's path means; `~` is a home, and a name of what is bundled means that where nothing such is there.

    Args:
        given: The path as it stands in a config.
        key: Dotted key of the setting.
        folder: What it is relative to.

    Raises:
        PathError: No file system takes it, or nobody has that home.
    """
    try:
        found = (folder / local_path(given)).resolve()
        str(found).encode()  # what is stored must be text
        with suppress(FileNotFoundError, NotADirectoryError):
            found.stat()  # raises for names that no file system takes
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that lead in a circle
        raise PathError(f"{_SHORT.repr(str(given))} is no path: {_reason(error)}") from None
    return meant(key, str(given), there=found)


def _reason(error: Exception) -> str:
    """Why something is no path, without the path."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def with_absolute_paths(config: ExperimentConfig, /, *, absolute: Absolute) -> ExperimentConfig:
    """A config whose paths are absolute, those that plugins declare and those that they have by default included.

    Names of models, known or on the hub, stay as they are.

    Args:
        config: The config.
        absolute: What a path means, by the dotted key of its setting.

    Raises:
        ModelFolderError: A repository of the hub that is not spelled as one.
    """
    if is_hub_reference(config.model):
        check_reference(str(config.model))
    clip, search, score, scoring = config.clip, config.search, config.score, config.scoring
    if clip is not None:
        scoring = _seen_through_clip(scoring, "scoring.settings", scoring.by, plain(clip), absolute)
        clip = replace(clip, **_clip_paths(plain(clip), "clip", absolute))
    else:
        scoring = _seen_through_clip(scoring, "scoring.settings", scoring.by, {}, absolute)
    score = _seen_through_clip(score, "score.settings", score.name, {}, absolute)
    if search.start is not None:
        search = replace(search, start=unless_a_name("search.start", search.start, absolute=absolute))
    search = replace(search, devices=tuple(str(absolute("search.devices", Path(table))) for table in search.devices))
    config = replace(
        config,
        clip=clip,
        search=search,
        latency_source=_with_plugin_paths(config.latency_source, "latency_source.settings", _source_paths, absolute),
        score=_with_plugin_paths(score, "score.settings", _score_paths, absolute),
        scoring=_with_plugin_paths(scoring, "scoring.settings", _screen_paths, absolute),
    )
    return with_paths(config, absolute=absolute)


def unless_a_name(key: str, value: str, /, *, absolute: Absolute) -> str:
    """The path that a text means; a known name that is no path here stays one."""
    if is_hub_reference(value):
        return value
    path = absolute(key, Path(value))
    return str(path) if path.exists() or value not in {*BASE_CONFIGS, *KNOWN_ARCHITECTURES} else value


def _clip_paths(given: Mapping[str, Any], key: str, absolute: Absolute) -> dict[str, str]:
    """Where an OpenCLIP folder or file of weights stands, of settings that name a `model` and perhaps `pretrained`."""
    model, pretrained = given.get("model"), given.get("pretrained")
    if isinstance(model, str) and pretrained is None:
        return {"model": str(absolute(f"{key}.model", Path(model)))}
    if isinstance(pretrained, str) and not is_tag(pretrained):
        return {"pretrained": str(absolute(f"{key}.pretrained", Path(pretrained)))}
    return {}


def _seen_through_clip(section: S, key: str, name: str, clip: Mapping[str, Any], absolute: Absolute) -> S:
    """A score's section whose own settings say where its CLIP is; what it does not say stands in the section `clip`."""
    of: Any = section
    if name not in THROUGH_CLIP or not {"model", "pretrained"} & of.settings.keys():
        return section
    found = _clip_paths({**clip, **of.settings}, key, absolute)
    own = {each: path for each, path in found.items() if each in of.settings}
    made: S = replace(of, settings={**of.settings, **own})
    return made


def _with_plugin_paths(section: S, key: str, paths: Callable[[Any], Mapping[str, object]], absolute: Absolute) -> S:
    """A plugin's settings with absolute paths; one that has a path by default says it now."""
    plugin: Any = section
    settings = dict(plugin.settings)
    for name, default in paths(plugin).items():
        value = settings.get(name, default)
        if isinstance(value, str):
            settings[name] = unless_a_name(f"{key}.{name}", value, absolute=absolute)
        elif isinstance(value, (list, tuple)):
            settings[name] = [
                unless_a_name(f"{key}.{name}", each, absolute=absolute) if isinstance(each, str) else each
                for each in value
            ]
        elif isinstance(value, Mapping):
            settings[name] = {
                unless_a_name(f"{key}.{name}", str(path), absolute=absolute): of for path, of in value.items()
            }
    return section if settings == plugin.settings else replace(plugin, settings=settings)


def _source_paths(section: Any) -> Mapping[str, object]:
    """Settings of a latency source that are paths, with what they are by default."""
    if section.name is None:
        return {}
    kind = source_door().find(section.name)
    defaults = {each.name: each.default for each in fields(kind.settings)}
    return {name: defaults.get(name) for name in kind.paths}


def _score_paths(section: Any) -> Mapping[str, object]:
    """The same of a score; what it does not get is nobody's path."""
    return _paths_of_score(section.name, section.settings)


def _screen_paths(section: Any) -> Mapping[str, object]:
    """The same of the score that screens."""
    return _paths_of_score(section.by, section.settings)


def _paths_of_score(name: str, settings: Mapping[str, object]) -> Mapping[str, object]:
    if not any(isinstance(value, str) for value in settings.values()):
        return {}
    from nas.evaluation.registry import score_paths  # which imports torch

    return dict.fromkeys(score_paths(name))


def with_paths(section: S, /, *, absolute: Absolute, prefix: str = "") -> S:
    """Settings whose paths are absolute, those of all sections below included."""
    made: Any = section
    changed: dict[str, Any] = {}
    for each in fields(made):
        value, key = getattr(made, each.name), prefix + each.name
        if isinstance(value, Path) and not is_hub_reference(value):
            changed[each.name] = absolute(key, value)
        elif is_dataclass(value):
            changed[each.name] = with_paths(value, absolute=absolute, prefix=f"{key}.")
    return replace(made, **changed) if changed else section
