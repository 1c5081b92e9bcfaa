"""What a config's digest covers: no place, nothing that never changes a result, no later setting as 0.1.0 had it.

Runs keep their digests whatever settings are added and whatever defaults become.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nas.algorithms.settings import EVOLVING, OUTPUT_CHANGE
from nas.config.identity.places import is_section, without_places
from nas.evaluation.settings import CLIP
from nas.settings import plain

# Never change a result: no run's config.yaml holds them.
RESULT_FREE: Final = (
    "workers", "score_store", "picture_cache", "pictures", "robust_training.save_every", "robust_training.sample_every",
    "robust_training.workers",
)  # fmt: skip

# What 0.1.0 did where later versions have a setting. A config's digest leaves such a setting out while it has this
# value, and a config.yaml without it means this value, so that runs keep their digests whatever defaults become.
BEFORE: Final[Mapping[str, Any]] = {
    "latency_source.name": None,
    "latency_source.settings": {},
    "model_variant": None,
    "score.name": CLIP,
    "score.settings": {},
    "racing.growth": 1.3,
    "racing.rule": "elimination",
    "racing.tolerance": 0.0,
    "robust_training.adam_beta1": 0.9,
    "robust_training.adam_beta2": 0.999,
    "robust_training.adam_epsilon": 1e-8,
    "robust_training.caption_dropout": 0.1,
    "robust_training.channels_last": False,
    "robust_training.data.caption_column": None,
    "robust_training.data.crop": "center",
    "robust_training.data.encode": "once",
    "robust_training.data.encode_batch_size": 32,
    "robust_training.data.images": None,
    "robust_training.data.max_corrupt_share": 0.01,
    "robust_training.data.picture_column": None,
    "robust_training.data.shuffled_pictures": 1024,
    "robust_training.decay_share": 1.0,
    "robust_training.device": None,
    "robust_training.distill_features": 0.0,
    "robust_training.distill_outputs": 0.0,
    "robust_training.drop_num_random": 2,
    "robust_training.drop_probability_by_kind": {},
    "robust_training.drop_ramp": 0.0,
    "robust_training.drop_strategy": "independent",
    "robust_training.ema_decay": None,
    "robust_training.gradient_accumulation": 1,
    "robust_training.gradient_checkpointing": False,
    "robust_training.max_grad_norm": 1.0,
    "robust_training.max_loss": 1e4,
    "robust_training.min_snr_gamma": None,
    "robust_training.precision": "float32",
    "robust_training.rate_schedule": "constant",
    "robust_training.warm_up_share": 0.1,
    "robust_training.weight_decay": 0.01,
    "scoring.by": OUTPUT_CHANGE,
    "scoring.num_prompts": 16,
    "scoring.screen": "off",
    "scoring.settings": {},
    "scoring.shortlist": 14,
    "scoring.tolerance": 1e-4,
    "search.algorithm": EVOLVING,
    "search.indifference": 0.0,
    "validation.drawn_from": "first_lines",
    "validation.final_prompts": None,
    "validation.held_out": None,
    "validation.held_out_captions": None,
    "search.value": "paper",
    "search.devices": [],
    "search.limits.max_macs": None,
    "search.limits.max_params": None,
    "search.limits.min_clip": None,
    "search.limits.worst_score": None,
    "search.settings": {},
    "search.space": "any",
    "search.start": None,
    "search.targets": [],
}


def without_result_free(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A config's plain values without the sections, and the settings of sections, that never change a result."""
    return {
        section: {name: each for name, each in part.items() if f"{section}.{name}" not in RESULT_FREE}
        if isinstance(part, Mapping)
        else part
        for section, part in config.items()
        if section not in RESULT_FREE
    }


def identity(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A config's plain values without places, and without what was no setting in 0.1.0 and is as it was there.

    Args:
        config: As `ExperimentConfig.plain` gives it.
    """
    return _without_before(without_places(config), "")


def placed_identity(config: Mapping[str, Any], /) -> dict[str, Any]:
    """What the digest of 0.1.0 was made of: the same with the absolute paths of the machine that ran it."""
    return _without_before(config, "")


def part_identity(section: str, value: Any, /) -> dict[str, Any]:
    """The same of one section, by its name."""
    kept: Mapping[str, Any] = without_result_free({section: plain(value)})[section]
    return _without_before(kept, f"{section}.")


def _without_before(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        key = prefix + name
        if key in BEFORE and value == BEFORE[key]:
            continue
        parted = is_section(key, value)
        part = _without_before(value, f"{key}.") if parted else value
        if part or not parted:  # a section that came later goes with all its settings
            kept[name] = part
    return kept


def with_before(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A stored config's plain values, with what 0.1.0 did where it lacks a setting."""
    full = dict(config)
    for key, value in BEFORE.items():
        _set_default(full, key.split("."), value)
    return full


def _set_default(section: dict[str, Any], names: Sequence[str], value: Any) -> None:
    """Give a setting its value where a section, which is changed in place, lacks it."""
    name, *below = names
    if not below:
        section.setdefault(name, value)
    elif isinstance(part := section.get(name, {}), Mapping):
        section[name] = dict(part)
        _set_default(section[name], below, value)
