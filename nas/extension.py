"""Continuing a finished run with a larger budget or a tighter target, and refusing every other change of its config."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import yaml

from nas.algorithms.evolving import EvolvingSettings

# What may change between the config of a run and that of its extension, and in which direction.
EXTENDING: Final = {
    "search.target_latency_ms": "lower",
    "search.target_ratio": "lower",
    "search.max_rounds": "higher",
    "search.max_copies": "higher",
}


class ChangedConfigError(ValueError):
    """A run was asked to continue with a config that does not extend its own."""


def check_extension(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    /,
    *,
    settings_of: Callable[[Mapping[str, Any]], EvolvingSettings],
) -> None:
    """Check that a changed config asks for more of the same search.

    Args:
        old: The run's config, plain values.
        new: The config that it is asked to continue with.
        settings_of: Algorithm 1's settings by a config that differs in what may change.

    Raises:
        ChangedConfigError: It asks for something else; the message shows every change.
    """
    foreign = sorted(key for key in changed_keys(old, new) if key not in EXTENDING)
    wrong = [f"`{key}` may not change" for key in foreign]
    if not foreign:
        wrong = _shrunk(settings_of(old), settings_of(new))
    if wrong:
        directions = ", ".join(f"a {direction} {key}" for key, direction in EXTENDING.items())
        raise ChangedConfigError(
            "the run has another config:\n"
            + config_diff(old, new)
            + "\n"
            + "; ".join(wrong)
            + f".\nA run can be continued with {directions}; for anything else give another --out"
        )


def _shrunk(before: EvolvingSettings, after: EvolvingSettings) -> list[str]:
    """What the second settings ask less of than the first ones."""
    wrong = []
    if after.target_latency_ms > before.target_latency_ms:
        wrong.append(
            f"the target may become lower, not higher: {before.target_latency_ms:.3f} ms -> "
            f"{after.target_latency_ms:.3f} ms"
        )
    wrong += [
        f"`search.{name}` may become higher, not lower"
        for name in ("max_rounds", "max_copies")
        if getattr(after, name) < getattr(before, name)
    ]
    return wrong


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
