"""Every setting of an experiment in turn, and configs that differ in one: what laws of all settings are tried on."""

from collections.abc import Iterator
from copy import deepcopy
from types import NoneType
from typing import Any, get_args

from pydantic.fields import FieldInfo

from nas.config.sections import ExperimentConfig
from nas.settings import described, read, section_of

GIVEN: dict[str, Any] = {
    "model": "/model",
    "clip": {"model": "/judge"},
    "latency_table": "/table.json",
    "validation": {"captions": "/captions.txt"},
    "search": {"target_ratio": 0.5},
}


def leaves(kind: type = ExperimentConfig, prefix: str = "") -> Iterator[tuple[str, type, FieldInfo]]:
    """Every setting: its dotted name, its class, and what is known of it."""
    for name, info in described(kind).items():
        if (section := section_of(info)) is not None:
            yield from leaves(section, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", kind, info


LEAVES = {key: (kind, info) for key, kind, info in leaves()}
SECTIONS = {name: kind for name, info in described(ExperimentConfig).items() if (kind := section_of(info)) is not None}


def config(**changed: Any) -> ExperimentConfig:
    return read(ExperimentConfig, with_values(changed), name="test")


def with_values(changed: dict[str, Any]) -> dict[str, Any]:
    """`GIVEN` with settings by their dotted names."""
    data = deepcopy(GIVEN)
    for key, value in changed.items():
        *sections, name = key.split(".")
        part = data
        for section in sections:
            part = part.setdefault(section, {})
        part[name] = value
    return data


def bare(info: FieldInfo) -> Any:
    """Its type, without null."""
    parts = [part for part in get_args(info.annotation) if part is not NoneType]
    return parts[0] if NoneType in get_args(info.annotation) else info.annotation
