"""Places are in no identity: what stands there has a digest of its own. Names, numbers and nulls are."""

from typing import Any

import pytest

from nas.config.identity.covered import identity, placed_identity
from nas.config.identity.places import is_place, without_places

CONFIG: dict[str, Any] = {
    "model": "/models/sd15",
    "clip": {"model": "/judges/vit", "pretrained": None},
    "latency_table": "/tables/phone.json",
    "validation": {"captions": "/captions.txt", "num_prompts": 8},
    "robust_training": {"pictures": "/pictures", "iterations": 3},
    "search": {"start": "/runs/first", "target_ratio": 0.5, "settings": {"tag": "/no/place"}},
    "score": {"name": "mine", "settings": {"palette": "/palette", "share": 0.5, "more": ["/a", {"b": "/c", "d": 1}]}},
    "latency_source": {"name": None, "settings": {"model": "sd-1.5", "cache": "/prices.jsonl"}},
}


def test_a_config_without_places_has_everything_else() -> None:
    assert without_places(CONFIG) == {
        "model": "...",
        "clip": {"model": "...", "pretrained": None},
        "latency_table": "...",
        "validation": {"captions": "...", "num_prompts": 8},
        "robust_training": {"pictures": "...", "iterations": 3},
        "search": {"start": "...", "target_ratio": 0.5, "settings": {"tag": "/no/place"}},
        "score": {"name": "mine", "settings": {"palette": "...", "share": 0.5, "more": ["...", {"b": "...", "d": 1}]}},
        "latency_source": {"name": None, "settings": {"model": "sd-1.5", "cache": "..."}},
    }
    assert CONFIG["model"] == "/models/sd15", "it is left as it was"


def moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: moved(part) if name != "tag" else part for name, part in value.items()}
    if isinstance(value, list):
        return [moved(part) for part in value]
    return f"/elsewhere{value}" if is_place(value) else value


def test_a_moved_config_is_the_same_and_was_another_to_0_1_0() -> None:
    assert moved(CONFIG) != CONFIG
    assert identity(moved(CONFIG)) == identity(CONFIG)
    assert placed_identity(moved(CONFIG)) != placed_identity(CONFIG)


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [
        ("search", "start", None),
        ("search", "start", "bk-sdm-small"),
        ("robust_training", "pictures", None),
        ("clip", "model", "ViT-B-32"),
        ("score", "settings", {}),
        ("latency_source", "settings", {"model": "sd-2.1", "cache": "/prices.jsonl"}),
        ("score", "settings", CONFIG["score"]["settings"] | {"share": 0.4}),
    ],
)
def test_whether_there_is_a_place_and_what_is_none_count(section: str, setting: str, value: Any) -> None:
    changed = CONFIG | {section: CONFIG[section] | {setting: value}}
    assert identity(changed) != identity(CONFIG)


@pytest.mark.parametrize(
    ("value", "expected"), [("/a", True), ("hub:a/b@c", True), ("a/b", False), ("sd-1.5", False), (3, False)]
)
def test_a_place_is_absolute_or_on_the_hub(value: object, expected: bool) -> None:
    assert is_place(value) is expected
