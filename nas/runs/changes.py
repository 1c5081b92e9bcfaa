"""Differences between two configs, key by key, and between what stood at the places that they name."""

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


def changed_contents(old: Mapping[str, str], new: Mapping[str, str], /, *, setting_of: Mapping[str, str]) -> str:
    """A sentence of what stands at other content than before; "" = nothing does.

    Args:
        old: Digests of what stood there, by name; those of which it says nothing are not compared.
        new: Digests of what stands there now.
        setting_of: Whose content a digest is of, by name; others are not compared.
    """
    wrong = [
        f"`{setting}` (it was {old[name]} and is {new[name]})"
        for name, setting in setting_of.items()
        if name in old and name in new and old[name] != new[name]
    ]
    if not wrong:
        return ""
    return (
        "files of a run may move, but what they hold must stay; other content than the run was made with stands at "
        f"{', '.join(wrong)}. Name the places where the run's own files stand now, or give another --out"
    )
