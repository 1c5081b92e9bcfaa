"""Which changes of a config a run can be continued with."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.algorithms.evolving import DECLARATION
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.config.extension import ChangedConfigError, check_extension
from nas.config.sections import SearchConfig
from nas.runs.changes import changed_keys
from nas.settings import described
from tests.depth_space import depth_space

BASE_MS = 10.0
CONFIG: dict[str, Any] = {
    "model": "somewhere",
    "search": {"target_ratio": 0.6, "target_latency_ms": None, "max_rounds": 5, "max_copies": 1, "protected": ["a"]},
    "robust_training": {"drop_probability_by_stage": {"resnet[mid]": 0.5}},
    "seed": 0,
}


def problem_of(config: Any) -> Problem[EvolvingSettings]:
    search = config["search"]
    return Problem(
        space=depth_space(),
        price_ms=lambda architecture: BASE_MS,
        target_latency_ms=search["target_latency_ms"] or search["target_ratio"] * BASE_MS,
        settings=EvolvingSettings(max_rounds=search["max_rounds"], max_copies=search["max_copies"]),
    )


def check(old: Any, new: Any, *, problem_of: Any = problem_of) -> None:
    check_extension(old, new, extends=DECLARATION.extends, problem_of=problem_of)


def with_search(**changes: Any) -> dict[str, Any]:
    return CONFIG | {"search": CONFIG["search"] | changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"target_ratio": 0.5},
        {"target_ratio": None, "target_latency_ms": 5.9},
        {"max_rounds": 6},
        {"max_copies": 2, "max_rounds": 9, "target_ratio": 0.3},
    ],
)
def test_more_of_the_same_search_extends_it(changes: dict[str, Any]) -> None:
    check(CONFIG, with_search(**changes))


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"target_ratio": 0.7}, "the target may become lower, not higher: 6.000 ms -> 7.000 ms"),
        ({"target_ratio": None, "target_latency_ms": 6.1}, "6.000 ms -> 6.100 ms"),
        ({"max_rounds": 4}, "`search.max_rounds` may become higher, not lower"),
        ({"max_copies": 0, "max_rounds": 4}, "`search.max_copies` may become higher, not lower"),
        ({"protected": []}, "`search.protected` may not change"),
    ],
)
def test_anything_else_is_shown_and_refused(changes: dict[str, Any], law: str) -> None:
    with pytest.raises(ChangedConfigError) as refusal:
        check(CONFIG, with_search(**changes))
    assert law in str(refusal.value)
    assert "\n-" in str(refusal.value), "the difference is shown"
    assert "\n+" in str(refusal.value)
    assert "give another --out" in str(refusal.value)


def test_every_foreign_change_is_named_before_targets_are_compared() -> None:
    changed = with_search(target_ratio=0.5) | {"seed": 1, "model": "elsewhere"}
    with pytest.raises(ChangedConfigError, match="`model` may not change; `seed` may not change"):
        check(CONFIG, changed, problem_of=lambda config: pytest.fail("too early"))


def test_changed_keys_are_dotted_and_whole_tables_are_one_setting() -> None:
    other = with_search(max_rounds=7) | {"robust_training": {"drop_probability_by_stage": {"resnet[mid]": 0.1}}}
    assert changed_keys(CONFIG, other) == {"search.max_rounds", "robust_training.drop_probability_by_stage"}
    assert changed_keys(CONFIG, {"model": "somewhere"}) >= {"search.max_rounds", "seed"}


@given(st.floats(0.1, 1), st.integers(1, 9), st.integers(0, 3))
def test_no_two_different_configs_extend_each_other(ratio: float, rounds: int, copies: int) -> None:
    other = with_search(target_ratio=ratio, max_rounds=rounds, max_copies=copies)

    def extends(old: Any, new: Any) -> bool:
        try:
            check(old, new)
        except ChangedConfigError:
            return False
        return True

    assert not (extends(CONFIG, other) and extends(other, CONFIG)) or other == CONFIG


def test_the_settings_that_extend_exist() -> None:
    assert set(DECLARATION.extends) <= set(described(SearchConfig))
