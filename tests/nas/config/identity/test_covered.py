"""What a config's digest covers, setting by setting, whichever are added."""

from enum import Enum
from operator import attrgetter
from typing import Any, get_args

import pytest

from nas.config.identity.covered import BEFORE, RESULT_FREE, identity, with_before
from nas.settings import plain
from search_spaces.files.digests import digest_of
from tests.nas.config.every_setting import LEAVES, bare, config

# Where something stands is in no digest of a config; what stands there has a digest of its own.
PLACES = ("model", "clip.model", "latency_table", "validation.captions")


def another(key: str) -> dict[str, Any]:
    """Settings in which this one differs from `GIVEN`."""
    special: dict[str, dict[str, Any]] = {
        "search.target_latency_ms": {"search.target_latency_ms": 3.0, "search.target_ratio": None},
        "search.targets": {"search.targets": [0.8, "fastest"], "search.target_ratio": None},
        "search.devices": {"search.devices": ["shapes_cpu_onnxruntime"]},
        "robust_training.iterations": {"robust_training.iterations": 3, "robust_training.pictures": "/pictures"},
        "robust_training.recovery_iterations": {
            "robust_training.recovery_iterations": 3,
            "robust_training.pictures": "/pictures",
        },
        "execution.device": {"execution.device": "cuda:1"},
        "robust_training.device": {"robust_training.device": "cuda:1"},
        "robust_training.drop_probability_by_kind": {"robust_training.drop_probability_by_kind": {"a": 0.5}},
        "robust_training.drop_probability_by_stage": {"robust_training.drop_probability_by_stage": {"a": 0.5}},
        "search.protected": {"search.protected": ["a"]},
        "score.settings": {"score.settings": {"a": 1}, "score.name": "another"},
        "scoring.settings": {"scoring.settings": {"a": 1}},
        "latency_source.name": {"latency_source.name": "formula", "latency_table": None},
        "latency_source.settings": {
            "latency_source.settings": {"a": 1},
            "latency_source.name": "formula",
            "latency_table": None,
        },
        "search.settings": {"search.settings": {"a": 1}, "search.algorithm": "another"},
        "robust_training.data.crop": {
            "robust_training.data.crop": "random",
            "robust_training.data.encode": "per_batch",
        },
    }
    special |= {
        "validation.final_prompts": {"validation.final_prompts": 99},
        "validation.held_out": {"validation.held_out": 5},
        "validation.held_out_captions": {"validation.held_out": 5, "validation.held_out_captions": "other.txt"},
    }
    if key in special:
        return special[key]
    now = plain(attrgetter(key)(config()))
    kind = bare(LEAVES[key][1])
    if kind is bool:
        return {key: not now}
    if kind in (int, float):
        if now is None:
            return {key: 0.5 if kind is float else 1}
        return {key: now * 0.9 if now and kind is float and now <= 1 else now + 1}
    choices = [member.value for member in kind] if isinstance(kind, type) and issubclass(kind, Enum) else get_args(kind)
    return {key: next(each for each in choices if each != now) if choices else "/another"}


@pytest.mark.parametrize("key", LEAVES)
def test_a_setting_changes_the_digest_unless_no_result_depends_on_it(key: str) -> None:
    sections = [key.rsplit(".", num)[0] for num in range(key.count(".") + 1)]
    free = bool({*sections} & {*RESULT_FREE}) or key in PLACES
    assert (digest_of(config(**another(key)).identity()) == digest_of(config().identity())) is free


@pytest.mark.parametrize("key", BEFORE)
def test_a_later_setting_is_in_no_digest_while_it_is_as_it_was(key: str) -> None:
    assert key in LEAVES
    was = config(**{key: BEFORE[key]})
    changed = another(key) if plain(attrgetter(key)(config())) == BEFORE[key] else {}  # a default that became another
    for given, expected in (({key: BEFORE[key]}, False), (changed, True)):
        found: Any = identity(config(**given).plain())
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        assert (found is not None) is expected
    assert plain(attrgetter(key)(was)) == BEFORE[key]


def test_a_section_that_came_later_is_in_no_digest_while_it_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    old = config().plain()
    monkeypatch.setitem(BEFORE, "sampling.num_steps", 8)
    monkeypatch.setitem(BEFORE, "sampling.guidance_scale", 7.5)
    monkeypatch.setitem(BEFORE, "sampling.scheduler", "DDIMScheduler")
    assert set(old) - set(identity(old)) == {"sampling", "score", "scoring", "latency_source", "model_variant"}
    without = {name: part for name, part in old.items() if name != "sampling"}
    assert with_before(without)["sampling"] == old["sampling"]
    assert identity(old | {"sampling": {**old["sampling"], "num_steps": 9}})["sampling"] == {"num_steps": 9}
