"""The view that `nas space show --format json` prints: stable keys, and sums that add up."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Action, Architecture, ArchitectureError, Position, UNetSpace, space_from_config
from search_spaces.known.architectures import bk_sdm_small, bk_sdm_tiny, sd15_space
from search_spaces.unets.view import counts_by_paper_stage, describe_space, paper_stages
from tests.leisure import examples
from tests.strategies import architectures, unet_configs

SPACE = sd15_space()
COSTS = ("num_params", "num_macs")


def positions(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [position for stage in view["stages"] for position in stage["positions"]]


@given(st.data(), st.one_of(st.just(SPACE), st.builds(space_from_config, unet_configs())))
@examples(25)
def test_everything_adds_up(data: st.DataObject, space: UNetSpace) -> None:
    architecture = data.draw(architectures(space))
    view = describe_space(space, architecture, height=10, width=12, context_tokens=7)
    assert json.loads(json.dumps(view)) == view
    for cost in COSTS:
        assert sum(position[cost] for position in positions(view)) + view["other"][cost] == view[cost]
    assert view["num_params"] == space.num_params(architecture)
    assert view["num_macs"] == space.num_macs(architecture, height=10, width=12, context_tokens=7)
    for rows in (view["stages"], view["counts_by_paper_stage"]):
        assert sum(row["num_resnets"] for row in rows) == view["num_resnets"] == architecture.num_resnets
        assert sum(row["num_cross_attentions"] for row in rows) == view["num_cross_attentions"]
    for count, sign in (("num_removals", "removable"), ("num_copies", "copyable")):
        kinds = (f"resnet_{sign}", f"cross_attention_{sign}")
        assert sum(position[kind]["possible"] for position in positions(view) for kind in kinds) == view[count]


def test_sd15(golden: Callable[[str, str], None]) -> None:
    view = describe_space(SPACE, SPACE.base)
    summary = {key: view[key] for key in ("num_cross_attentions", "num_resnets", "num_removals", "num_params")}
    assert summary == {"num_cross_attentions": 16, "num_resnets": 22, "num_removals": 38, "num_params": 859_520_964}
    golden("space_view_sd15.json", json.dumps(view, indent=2) + "\n")


def test_what_is_not_possible_has_its_reason() -> None:
    (first, _), *_ = (stage["positions"] for stage in describe_space(SPACE, SPACE.base)["stages"][1:])
    assert first["resnet_removable"] == {"possible": True, "why_not": None}
    assert first["resnet_copyable"] == {
        "possible": False,
        "why_not": "resnet[down.1,0] cannot be copied: "
        "a copy behind it would take 640 channels, but its weights take 320",
    }


def test_an_emptied_stage_keeps_its_size() -> None:
    architecture = SPACE.base
    for source in (0, 1):
        architecture = architecture.with_position("mid", Position(resnets=0, cross_attentions=0, source=source))
    (mid,) = (s for s in describe_space(SPACE, architecture, height=40)["stages"] if s["place"] == "mid")
    assert (mid["height"], mid["width"], mid["channels"]) == (5, 8, 1280)
    assert [mid[key] for key in ("num_resnets", "num_cross_attentions")] == [0, 0]
    assert [position["num_params"] for position in mid["positions"]] == [0, 0]


@pytest.mark.parametrize("build", [bk_sdm_small, bk_sdm_tiny])
def test_stages_that_are_gone_count_nothing_in_the_paper_s_table(build: Callable[[], Architecture]) -> None:
    counts = counts_by_paper_stage(SPACE, build())
    assert [row["paper_stage"] for row in counts] == [
        r["paper_stage"] for r in counts_by_paper_stage(SPACE, SPACE.base)
    ]
    assert {r["paper_stage"]: r["num_cross_attentions"] for r in counts}["Mid"] == 0
    assert "mid" not in {stage["place"] for stage in describe_space(SPACE, build())["stages"]}


def test_an_action_changes_the_position_it_names_and_no_other() -> None:
    before, after = (describe_space(SPACE, a) for a in (SPACE.base, Action.parse("-resnet[up.2,1]").apply(SPACE.base)))
    differing = [
        (stage["place"], new["position"])
        for stage, old_stage in zip(after["stages"], before["stages"], strict=True)
        for new, old in zip(stage["positions"], old_stage["positions"], strict=True)
        if new != old
    ]
    assert differing == [("up.2", 1)]
    assert before["other"] == after["other"]


def test_an_architecture_of_another_space_is_refused() -> None:
    with pytest.raises(ArchitectureError, match="the architecture is not in this space"):
        describe_space(space_from_config({"mid_block_type": None}), SPACE.base)


@given(st.one_of(st.just(SPACE), st.builds(space_from_config, unet_configs())))
@examples(25)
def test_genes_alone_say_the_paper_s_names_of_stages(space: UNetSpace) -> None:
    assert paper_stages(space.base) == {stage.place: space.paper_stage(stage.place) for stage in space.base.stages}
