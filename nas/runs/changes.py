"""Differences between two configs, key by key."""

import difflib
from collections.abc import Mapping
from typing import Any

import yaml

from search_spaces.files.nested import differences


def config_diff(old: Mapping[str, Any], new: Mapping[str, Any], /) -> str:
    """The lines of two configs that differ, marked - and +."""
    before, after = (yaml.safe_dump(dict(config), sort_keys=False).splitlines() for config in (old, new))
    return "\n".join(difflib.unified_diff(before, after, "run", "now", lineterm="", n=0))


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], /) -> set[str]:
    """Dotted keys of the settings that differ."""
    return set(differences(old, new, depth=2))
