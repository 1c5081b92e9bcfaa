"""Reading an experiment: YAML, overrides, paths, every problem at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from nas.config.sections import ExperimentConfig
from nas.pipelines.source import is_hub_reference, model_folder


class ConfigError(ValueError):
    """A config that cannot be read; the message lists every problem with its place."""


def load_config(path: Path, /, *, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read an experiment.

    Args:
        path: YAML file.
        overrides: "search.target_ratio=0.5" and the like; values are YAML.

    Raises:
        ConfigError: The file is missing or breaks a law; the message lists every problem.
    """
    if not path.is_file():
        raise ConfigError(f"there is no config {path}; `experiments/` holds examples")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, but holds {type(data).__name__}")
    for override in overrides:
        _apply(data, override)
    try:
        config = ExperimentConfig.model_validate(data)
    except ValidationError as error:
        lines = [f"  {_sentence(problem)}" for problem in error.errors()]
        raise ConfigError("\n".join([f"{path} has {len(lines)} problem{'s'[: len(lines) > 1]}:", *lines])) from error
    return _resolved(config, path.parent)


def _sentence(problem: ErrorDetails) -> str:
    place, given = ".".join(map(str, problem["loc"])) or "config", problem["input"]
    match problem["type"]:
        case "missing":
            return f"{place}: must be given, but is missing"
        case "extra_forbidden":
            return f"{place}: there is no such setting; choose among {', '.join(_settings(problem['loc'][:-1]))}"
        case "value_error":
            return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{place}: {problem['msg'].replace('Input should', 'must')}, but got {given!r}"


def _settings(sections: Sequence[int | str]) -> list[str]:
    """Names of the settings in a section."""
    model: type[BaseModel] = ExperimentConfig
    for section in sections:
        annotation = model.model_fields[str(section)].annotation
        (model,) = (  # one, beside None where it may be left out
            kind
            for kind in (get_args(annotation) or (annotation,))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        )
    return list(model.model_fields)


def _apply(data: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"an override is written key=value, such as search.target_ratio=0.5, but got {override!r}")
    *sections, last = key.split(".")
    for section in sections:
        data = data.setdefault(section, {})
        if not isinstance(data, dict):
            raise ConfigError(f"{override!r} cannot be applied: {section} is not a section")
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"the value of the override {override!r} is not YAML: {error}") from error


def _resolved(config: ExperimentConfig, folder: Path) -> ExperimentConfig:
    def absolute(path: Path) -> Path:
        return (folder / path).resolve()

    clip = config.clip
    if clip is not None and clip.pretrained is None:
        clip = clip.model_copy(update={"model": str(absolute(Path(clip.model)))})
    training = config.robust_training
    if training.pictures is not None:
        training = training.model_copy(update={"pictures": absolute(training.pictures)})
    captions = absolute(config.validation.captions)
    model = config.model
    if is_hub_reference(model):
        model = model_folder(model, variant=config.model_variant)
    search = config.search
    if search.start is not None and absolute(Path(search.start)).exists():
        search = search.model_copy(update={"start": str(absolute(Path(search.start)))})
    return config.model_copy(
        update={
            "search": search,
            "model": absolute(model),
            "latency_table": absolute(config.latency_table),
            "score_store": config.score_store and absolute(config.score_store),
            "clip": clip,
            "robust_training": training,
            "validation": config.validation.model_copy(update={"captions": captions}),
        }
    )
