"""Continuing a finished run with a larger budget or a tighter target, and refusing every other change of its config."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from nas.algorithms.evolving import EvolvingSettings
from nas.runs.changes import changed_keys, config_diff

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
