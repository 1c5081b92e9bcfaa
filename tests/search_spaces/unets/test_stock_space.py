"""Laws of the stock space: its actions never leave what diffusers builds, and find all that papers made of it."""

from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from search_spaces import Architecture, ArchitectureError, SpaceForm, parse_action, space_from_config, stock_config
from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES, SD15_CONFIG, snapfusion_table3
from search_spaces.stock_unet import neutral_unet
from search_spaces.supernet import Supernet
from search_spaces.unets.stock_law import stock_hull, stock_reasons
from tests.leisure import examples
from tests.search_spaces.conftest import CONFIG, Forward
from tests.strategies import architectures, unet_configs

SD15 = space_from_config(SD15_CONFIG, form=SpaceForm.STOCK)
SMALL = space_from_config(CONFIG, form=SpaceForm.STOCK)
ANY = space_from_config(CONFIG)
STOCK = sorted(name for name, known in KNOWN_ARCHITECTURES.items() if known.build is not snapfusion_table3)
few = examples(8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(architecture=architectures(SMALL, max_actions=5))
def test_a_plain_unet_with_the_same_weights_computes_every_stock_architecture(
    architecture: Architecture, unet: UNet2DConditionModel, forward: Forward
) -> None:
    alone = Supernet(unet).materialise(architecture)
    stock = stock_config(architecture, space=SMALL, base_config=CONFIG)
    plain = UNet2DConditionModel.from_config(stock.config).eval()
    plain.load_state_dict(alone.state_dict())
    assert torch.equal(forward(plain), forward(alone))


@examples(30)
@given(data=st.data(), config=unet_configs())
def test_actions_stay_in_the_stock_space_and_can_be_undone(data: st.DataObject, config: dict[str, Any]) -> None:
    space = space_from_config(config, form=SpaceForm.STOCK)
    architecture = data.draw(architectures(space, max_actions=4))
    for sign, actions in (("-", space.removals(architecture)), ("+", space.copies(architecture))):
        for action in actions:
            changed = action.apply(architecture)
            space.check(changed)
            assert changed != architecture
            assert action.inverse.apply(changed) == architecture
            assert parse_action(str(action)) == action
            assert str(action).startswith(sign)


ALONE = space_from_config(
    {
        "block_out_channels": [8, 24],
        "layers_per_block": 1,
        "down_block_types": ["DownBlock2D"] * 2,
        "mid_block_type": None,
        "up_block_types": ["UpBlock2D"] * 2,
        "norm_num_groups": 4,
    },
    form=SpaceForm.STOCK,
)


@examples(3)
@given(architectures(ALONE, max_actions=4))
def test_a_stock_space_may_hold_its_base_alone(architecture: Architecture) -> None:
    assert (ALONE.removals(architecture), ALONE.copies(architecture)) == ((), ())
    assert architecture == ALONE.base


@examples(25)
@given(architectures(SD15))
def test_removals_make_a_model_smaller_and_copies_larger(architecture: Architecture) -> None:
    own = SD15.num_params(architecture)
    assert all(SD15.num_params(action.apply(architecture)) < own for action in SD15.removals(architecture))
    assert all(SD15.num_params(action.apply(architecture)) > own for action in SD15.copies(architecture))


@examples(25)
@given(st.data(), architectures(SD15))
def test_what_was_removed_can_come_back(data: st.DataObject, architecture: Architecture) -> None:
    removals = SD15.removals(architecture)
    if removals:
        changed = data.draw(st.sampled_from(removals)).apply(architecture)
        assert any(SD15.num_params(copy.apply(changed)) > SD15.num_params(changed) for copy in SD15.copies(changed))


@pytest.mark.parametrize("name", STOCK)
def test_known_stock_models_are_reached_by_stock_removals_and_copies_alone(name: str) -> None:
    known = KNOWN_ARCHITECTURES[name]
    space = space_from_config(BASE_CONFIGS[known.base], form=SpaceForm.STOCK)
    target = known.build()
    space.check(target)
    seen, frontier = {space.base.arch_id}, [space.base]
    while frontier and target.arch_id not in seen:  # greedily towards the target: what is nearer first
        frontier.sort(key=lambda architecture: -_distance(architecture, target))
        here = frontier.pop()
        for action in (*space.removals(here), *space.copies(here)):
            after = action.apply(here)
            if after.arch_id not in seen and _distance(after, target) <= _distance(here, target):
                seen.add(after.arch_id)
                frontier.append(after)
    assert target.arch_id in seen


def _distance(one: Architecture, other: Architecture) -> int:
    def genes(architecture: Architecture) -> dict[tuple[str, int, str], int]:
        return {
            (place, p.source, name): count
            for place, p in architecture.positions()
            for name, count in (("r", p.resnets), ("a", p.cross_attentions))
        }

    left, right = genes(one), genes(other)
    return sum(abs(left.get(key, 0) - right.get(key, 0)) for key in left.keys() | right.keys())


def test_a_single_block_is_tied_and_says_to_what() -> None:
    removal = parse_action("-cross_attention[down.0,0]")
    assert "down.0 has cross-attention at some positions only (0, 1)" in str(
        SD15.why_not(removal, architecture=SD15.base)
    )
    with pytest.raises(ArchitectureError, match="no stock diffusers config builds this architecture"):
        SD15.check(removal.apply(SD15.base))


@given(architectures(ANY))
def test_the_hull_of_an_architecture_holds_its_blocks_and_is_stock_unless_a_resnet_was_copied(
    architecture: Architecture,
) -> None:
    hull = stock_hull(architecture, space=ANY)
    pairs = list(zip(architecture.positions(), hull.positions(), strict=True))
    assert all(a.resnets <= h.resnets and a.cross_attentions <= h.cross_attentions for (_, a), (_, h) in pairs)
    copied = any(position.resnets > 1 for _, position in architecture.positions())
    assert bool(stock_reasons(hull, space=ANY)) == copied


@examples(25)
@given(architectures(SMALL))
def test_a_stock_architecture_is_its_own_hull(architecture: Architecture) -> None:
    assert stock_hull(architecture, space=SMALL) == architecture


@few
@given(architecture=architectures(ANY))
def test_a_stock_unet_with_neutral_blocks_computes_what_the_searched_one_does(
    architecture: Architecture, unet: UNet2DConditionModel, forward: Forward
) -> None:
    supernet = Supernet(unet, space=ANY)
    before = forward(unet)
    if any(position.resnets > 1 for _, position in architecture.positions()):
        with pytest.raises(ArchitectureError, match="ResNet copies: a stock position has exactly one ResNet"):
            neutral_unet(supernet, architecture)
        return
    found = neutral_unet(supernet, architecture)
    config = stock_config(found.hull, space=ANY, base_config=CONFIG).config
    plain = UNet2DConditionModel.from_config(config).eval()
    plain.load_state_dict(found.unet.state_dict())
    with supernet.switched(architecture):
        assert torch.allclose(forward(plain), forward(unet), atol=1e-6)
    assert torch.equal(forward(unet), before), "the supernet keeps its weights"
    assert bool(found.neutral) == (found.hull != architecture)


@given(architectures(SMALL))
@examples(25)
def test_a_table_of_the_reachable_signatures_prices_every_stock_architecture(architecture: Architecture) -> None:
    assert {site.signature for site in SMALL.sites(architecture)} <= set(SMALL.reachable_signatures())
