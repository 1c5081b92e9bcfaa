"""Laws of a space: what it offers can be done, what it does not offer has a reason, and cost follows size."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Action, Architecture, ArchitectureError, BlockKind, Position, Sign, Stage, UNetSpace
from search_spaces.actions import GENES
from search_spaces.known.architectures import SDXL_CONFIG, bk_sdm_base, bk_sdm_tiny, sd15_space
from search_spaces.unets.diffusers_config import space_from_config
from tests.leisure import examples
from tests.strategies import architectures, possible_actions, unet_configs

SPACE = sd15_space()
SPACES = st.one_of(
    st.just(SPACE),
    st.just(space_from_config(SDXL_CONFIG, max_copies=1)),
    st.builds(space_from_config, unet_configs(), max_copies=st.integers(0, 2)),
)


def all_actions(architecture: Architecture) -> list[Action]:
    return [
        Action(sign=sign, kind=kind, stage=place, position=position.source)
        for place, position in architecture.positions()
        for kind in GENES
        for sign in Sign
    ]


@given(st.data(), SPACES)
@examples(25)
def test_offered_are_exactly_the_actions_that_stay_in_the_space(data: st.DataObject, space: UNetSpace) -> None:
    architecture = data.draw(architectures(space, max_actions=6))
    offered = {*space.removals(architecture), *space.copies(architecture)}
    for action in all_actions(architecture):
        why_not = space.why_not(action, architecture=architecture)
        if action in offered:
            assert why_not is None
            space.check(action.apply(architecture))
        else:
            assert why_not is not None
            assert re.match(rf"{action.kind}\[{action.stage},{action.position}\] cannot be ", why_not)
            with pytest.raises(ArchitectureError):
                space.check(action.apply(architecture))


@given(st.data(), SPACES)
@examples(50)
def test_removing_never_raises_and_copying_never_lowers_the_cost(data: st.DataObject, space: UNetSpace) -> None:
    architecture = data.draw(architectures(space, max_actions=6))
    action = data.draw(possible_actions(space, architecture))
    changed = action.apply(architecture)
    smaller, larger = (changed, architecture) if action.sign is Sign.REMOVE else (architecture, changed)
    assert space.num_params(smaller) < space.num_params(larger)
    assert space.num_macs(smaller) < space.num_macs(larger)


@given(st.data(), SPACES)
@examples(25)
def test_every_signature_of_every_architecture_is_reachable(data: st.DataObject, space: UNetSpace) -> None:
    architecture = data.draw(architectures(space, max_actions=6))
    sites = space.sites(architecture, height=12, width=20, context_tokens=7)
    reachable = space.reachable_signatures(height=12, width=20, context_tokens=7)
    assert {site.signature for site in sites} <= set(reachable)
    assert list(reachable) == sorted(reachable)


@given(st.data(), SPACES)
@examples(25)
def test_sites_have_names_of_their_own_and_say_where_they_stand(data: st.DataObject, space: UNetSpace) -> None:
    architecture = data.draw(architectures(space, max_actions=6))
    sites = space.sites(architecture)
    assert len({site.name for site in sites}) == len(sites)
    of_positions = {(s.stage, s.position) for s in sites if s.position >= 0}
    assert of_positions <= {(place, p.source) for place, p in architecture.positions()}
    layers = sum(s.signature.layers for s in sites if s.signature.kind is BlockKind.CROSS_ATTENTION)
    assert layers == architecture.num_cross_attentions
    assert sum(s.signature.kind is BlockKind.RESNET for s in sites) == architecture.num_resnets


def test_sd15_offers_a_removal_for_every_block() -> None:
    assert (SPACE.base.num_cross_attentions, SPACE.base.num_resnets) == (16, 22)
    removals = SPACE.removals(SPACE.base)
    assert len(removals) == 38
    assert sum(action.kind is BlockKind.CROSS_ATTENTION for action in removals) == 16


def test_an_empty_unet_offers_its_blocks_back_and_no_removal() -> None:
    empty = SPACE.base
    for action in SPACE.removals(SPACE.base):
        empty = action.apply(empty)
    assert SPACE.removals(empty) == ()
    assert {action.inverse for action in SPACE.copies(empty)} == set(SPACE.removals(SPACE.base))


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("+resnet[down.1,0]", "a copy behind it would take 640 channels, but its weights take 320"),
        ("+resnet[up.2,0]", "a copy behind it would take 640 channels, but its weights take 1920"),
        ("+cross_attention[down.3,0]", "the base model has no cross-attention there"),
        ("-cross_attention[up.0,2]", "it is not there"),
        ("-resnet[up.9,0]", "there is no stage 'up.9'"),
        ("-resnet[mid,5]", "mid has no position 5"),
    ],
)
def test_reasons(action: str, reason: str) -> None:
    why_not = SPACE.why_not(Action.parse(action), architecture=SPACE.base)
    assert why_not is not None
    assert reason in why_not


def test_copies_end_at_max_copies() -> None:
    space = space_from_config({}, max_copies=1)
    action = Action.parse("+cross_attention[up.3,0]")
    once = action.apply(space.base)
    assert space.why_not(action, architecture=space.base) is None
    assert "it has its 1 copies already (`max_copies`)" in str(space.why_not(action, architecture=once))


def test_all_violations_are_named_at_once() -> None:
    wrong = SPACE.base.with_position("down.0", Position(resnets=9, cross_attentions=0, source=0))
    wrong = wrong.with_position("mid", Position(resnets=1, cross_attentions=4, source=1))
    wrong = wrong.with_position("up.0", Position(resnets=1, cross_attentions=1, source=0))
    with pytest.raises(ArchitectureError) as raised:
        SPACE.check(wrong)
    message = str(raised.value)
    assert message.startswith("the architecture is not in this space: ")
    for part in (
        "`resnets` at down.0[0] must be at most 3, but got 9",
        "`cross_attentions` at mid[1] must be at most 0, but got 4",
        "`cross_attentions` at up.0[0] must be at most 0, but got 1",
    ):
        assert part in message


def test_a_block_that_changes_channels_has_no_copies() -> None:
    wrong = SPACE.base.with_position("up.2", Position(resnets=2, cross_attentions=1, source=0))
    with pytest.raises(ArchitectureError, match=r"at up.2\[0\] must be 0 or 1 because it changes 1920 channels to 640"):
        SPACE.check(wrong)


def test_stages_and_positions_that_the_model_lacks_are_named() -> None:
    gene = Position(resnets=1, cross_attentions=0, source=7)
    stages = (*SPACE.base.stages[:-1], Stage(place="up.3", positions=(gene,)), Stage(place="up.4", positions=(gene,)))
    with pytest.raises(ArchitectureError, match=r"no position up.3\[7\]: up.3 has 3; .* no stage up.4; it has down.0,"):
        SPACE.check(Architecture(stages=stages))


def without(architecture: Architecture, *gone: tuple[str, int]) -> Architecture:
    return Architecture(
        stages=tuple(
            Stage(place=s.place, positions=tuple(p for p in s.positions if (s.place, p.source) not in gone))
            for s in architecture.stages
        )
    )


def test_a_position_goes_together_with_the_up_position_of_its_own_size() -> None:
    SPACE.check(without(SPACE.base, ("down.1", 1), ("up.2", 1)))
    with pytest.raises(
        ArchitectureError, match=r"up.3 takes the skips of down.0 .* have 2 and 2; up.2 takes .* 3 and 1"
    ):
        SPACE.check(without(SPACE.base, ("down.1", 1), ("up.3", 1)))


def test_a_stage_goes_together_with_its_mirror_and_the_outermost_stays() -> None:
    def keep(*gone: str) -> Architecture:
        return Architecture(stages=tuple(stage for stage in SPACE.base.stages if stage.place not in gone))

    SPACE.check(bk_sdm_tiny())
    with pytest.raises(
        ArchitectureError, match=r"down\.2\[0\] must take 640 channels, as its weights do, but gets 320"
    ):
        SPACE.check(keep("down.1", "up.2"))
    with pytest.raises(ArchitectureError, match="or both must be gone, but they have 3 and 0"):
        SPACE.check(keep("down.1"))
    with pytest.raises(ArchitectureError, match=r"down\.0 and up\.3 must stay"):
        SPACE.check(keep("down.0", "up.3"))


def test_sizes_are_halved_and_come_back_as_the_skips_were() -> None:
    sites = {site.name: site.signature for site in SPACE.sites(SPACE.base, height=50, width=64)}
    sizes = [(sites[f"down_blocks.{i}.resnets.0"].height, sites[f"down_blocks.{i}.resnets.0"].width) for i in range(4)]
    assert sizes == [(50, 64), (25, 32), (13, 16), (7, 8)]
    assert [(sites[f"up_blocks.{i}.resnets.0"].height) for i in range(4)] == [7, 13, 25, 50]
    assert [sites[f"up_blocks.{i}.upsamplers.0"].variant for i in range(3)] == ["13x16", "25x32", ""]


def test_a_skipped_resnet_costs_its_shortcut_and_nothing_else() -> None:
    def removed(text: str) -> int:
        return SPACE.num_params(SPACE.base) - SPACE.num_params(Action.parse(text).apply(SPACE.base))

    signatures = {site.name: site.signature for site in SPACE.sites(SPACE.base)}
    assert removed("-resnet[down.0,0]") == signatures["down_blocks.0.resnets.0"].num_params
    assert removed("-resnet[up.2,0]") == signatures["up_blocks.2.resnets.0"].num_params - (1920 * 640 + 640)


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({}, ["Down-1", "Down-2", "Down-3", "Mid", "Mid", "Mid", "Up-1", "Up-2", "Up-3"]),
        (SDXL_CONFIG, ["Down-1", "Down-2", "Down-3", "Mid", "Up-1", "Up-2", "Up-3"]),
    ],
)
def test_stages_have_the_names_of_the_paper(config: dict[str, object], names: list[str]) -> None:
    space = space_from_config(config)
    assert [space.paper_stage(stage.place) for stage in space.stages] == names


def test_unknown_stages_name_the_known_ones() -> None:
    with pytest.raises(ArchitectureError, match=r"the base model has no stage 'up.4'; choose among down.0, .* up.3"):
        SPACE.geometry("up.4")


def test_positions_that_are_gone_are_no_cost() -> None:
    assert SPACE.num_params(bk_sdm_base()) == 579_384_964
    assert not any(site.name.endswith("resnets.2") for site in SPACE.sites(bk_sdm_base()))
