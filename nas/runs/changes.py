"""Differences between two configs, key by key."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml


def config_diff(old: Mapping[str, Any], new: Mapping[str, Any], /) -> str:
    """The lines of two configs that differ, marked - and +."""
    before, after = (yaml.safe_dump(dict(config), sort_keys=False).splitlines() for config in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "run", "now", lineterm="", n=0))


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], /) -> set[str]:
    """Dotted keys of the settings that differ."""
    flat_old, flat_new = dict(_flat(old)), dict(_flat(new))
    absent = object()
    return {key for key in flat_old.keys() | flat_new.keys() if flat_old.get(key, absent) != flat_new.get(key, absent)}


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and prefix.count(".") < 1:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
