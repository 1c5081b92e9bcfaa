"""Laws of the value: JSON, identity, invariants; and the ids that users have stored."""

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Architecture, ArchitectureError, Position, Stage, space_from_config
from search_spaces.known.architectures import (
    BASE_CONFIGS,
    bk_sdm_base,
    bk_sdm_small,
    bk_sdm_tiny,
    sd15_space,
    snapfusion_nearest_stock,
    snapfusion_table3,
)
from tests.strategies import architectures

SPACE = sd15_space()


def stage(place: str, *sources: int) -> Stage:
    return Stage(place=place, positions=tuple(Position(resnets=1, cross_attentions=0, source=i) for i in sources))


@given(architectures(SPACE))
def test_json_round_trip(architecture: Architecture) -> None:
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert Architecture.from_dict(json.loads(json.dumps(architecture.to_dict(), indent=2))) == architecture


@given(architectures(SPACE, max_actions=3), architectures(SPACE, max_actions=3))
def test_arch_id_is_equal_exactly_for_equal_architectures(one: Architecture, other: Architecture) -> None:
    assert (one.arch_id == other.arch_id) == (one == other)
    assert one == other or one.to_json() != other.to_json()


def test_arch_ids_stay_what_they_were(golden: Callable[[str, str], None]) -> None:
    known = {name: space_from_config(config).base for name, config in BASE_CONFIGS.items()}
    for build in (bk_sdm_base, bk_sdm_small, bk_sdm_tiny, snapfusion_table3, snapfusion_nearest_stock):
        known[build.__name__] = build()
    golden("arch_ids.json", json.dumps({name: a.arch_id for name, a in known.items()}, indent=2) + "\n")
    golden("snapfusion_table3.json", snapfusion_table3().to_json() + "\n")


@given(architectures(SPACE))
def test_counts_add_up(architecture: Architecture) -> None:
    genes = [position for _, position in architecture.positions()]
    assert architecture.num_resnets == sum(p.resnets for p in genes)
    assert architecture.num_cross_attentions == sum(s.num_cross_attentions for s in architecture.stages)


def test_with_position_gives_a_new_value() -> None:
    changed = SPACE.base.with_position("mid", Position(resnets=0, cross_attentions=3, source=0))
    assert changed.position("mid", 0).cross_attentions == 3
    assert SPACE.base.position("mid", 0).cross_attentions == 1
    assert changed.with_position("mid", SPACE.base.position("mid", 0)) == SPACE.base


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        SPACE.base.stages = ()  # type: ignore[misc]
    assert len({SPACE.base, sd15_space().base}) == 1


@pytest.mark.parametrize("wrong", [-1, 1.0, True, "1", None])
def test_genes_are_whole_numbers(wrong: object) -> None:
    with pytest.raises(
        ArchitectureError, match=r"`resnets` of a position must be a whole number of at least 0, but got"
    ):
        Position(resnets=wrong, cross_attentions=0, source=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["", "down", "down.", "down.x", "mid.0", "left.1"])
def test_places_are_those_of_diffusers(place: str) -> None:
    with pytest.raises(ArchitectureError, match="`place` of a stage must be"):
        stage(place, 0)


@pytest.mark.parametrize("sources", [(0, 0), (1, 0)])
def test_positions_rise(sources: tuple[int, int]) -> None:
    with pytest.raises(ArchitectureError, match="must come from rising base positions"):
        stage("mid", *sources)


@pytest.mark.parametrize(
    ("places", "law"),
    [(("mid", "mid"), "stands once"), (("mid", "down.0"), "order"), (("up.10", "up.9"), "order")],
)
def test_stages_stand_once_and_in_order(places: tuple[str, ...], law: str) -> None:
    with pytest.raises(ArchitectureError, match=law):
        Architecture(stages=tuple(stage(place, 0) for place in places))


def test_stages_are_ordered_by_number_not_by_letter() -> None:
    Architecture(stages=tuple(stage(f"down.{i}", 0) for i in range(11)))


@given(st.data())
def test_truncated_json_is_an_architecture_error(data: st.DataObject) -> None:
    text = SPACE.base.to_json()
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(ArchitectureError, match="an architecture must be JSON"):
        Architecture.from_json(text[:cut])


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"schema_version": 2, "stages": []},
        {"schema_version": 1},
        {"schema_version": 1, "stages": None},
        {"schema_version": 1, "stages": [{"place": "mid"}]},
        {"schema_version": 1, "stages": [{"place": 3, "positions": []}]},
        {"schema_version": 1, "stages": [{"place": "mid", "positions": [{"source": 0, "resnets": 1}]}]},
        {"schema_version": 1, "stages": [{"place": "mid", "positions": [{"source": 0, "resnets": 1, "blocks": 1}]}]},
    ],
)
def test_what_is_no_architecture_is_an_architecture_error(data: object) -> None:
    with pytest.raises(ArchitectureError, match=r"`schema_version` 1, but got|`stages` must be a list of"):
        Architecture.from_dict(data)


def test_a_spec_may_say_more_than_its_architecture() -> None:
    assert Architecture.from_dict(SPACE.base.to_dict() | {"clip": 0.3}) == SPACE.base


def test_absent_stages_and_positions_name_what_is_there() -> None:
    with pytest.raises(ArchitectureError, match=r"no stage 'up.7'; choose among down.0, .*, up.3"):
        SPACE.base.stage("up.7")
    with pytest.raises(ArchitectureError, match=r"down.1 has no position 2; it has \[0, 1\]"):
        SPACE.base.position("down.1", 2)
