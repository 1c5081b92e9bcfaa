"""The places that a config names, and the same config without them.

What stands at a place is known by the digest of its content (`nas.config.digests`); where it stands is nobody's
business but this machine's. So a config's identity holds no place, and a run goes on when its model, its captions or
its whole folder were moved.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from nas.pipelines.source import is_hub_reference

PLACE: Final = "..."  # what stands for a place where nobody's places count
_SUBSECTIONS: Final = ("search.limits", "robust_training.data", "robust_training.workers")  # sections within sections
# Settings that may hold places.
_PLACED: Final = (
    "model",
    "clip.model",
    "clip.pretrained",
    "latency_table",
    "validation.captions",
    "validation.held_out_captions",
    "robust_training.data.images",
    "robust_training.pictures",
    "search.devices",
    "search.start",
    "latency_source.settings",
    "score.settings",
    "scoring.settings",
)


def is_place(value: object, /) -> bool:
    """Whether a stored value is a place: an absolute path, or a repository of the hub."""
    return isinstance(value, str) and (is_hub_reference(value) or PurePath(value).is_absolute())


def without_places(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A config's plain values with one word for every place; a setting that is null, or a known name, stays.

    Args:
        config: As `ExperimentConfig.plain` gives it, of this or an older version.
    """
    return _without(config, "")


def is_section(key: str, value: object, /) -> bool:
    """Whether what stands under a dotted key is a section, and no setting that is a table itself."""
    return isinstance(value, Mapping) and ("." not in key or key in _SUBSECTIONS)


def _without(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        key = prefix + name
        if key in _PLACED:
            kept[name] = _placeless(value)
        else:
            kept[name] = _without(value, f"{key}.") if is_section(key, value) else value
    return kept


def _placeless(value: Any) -> Any:
    """A value, or those of a plugin however deep, without places."""
    if isinstance(value, Mapping):
        return {name: _placeless(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_placeless(part) for part in value]
    return PLACE if is_place(value) else value
