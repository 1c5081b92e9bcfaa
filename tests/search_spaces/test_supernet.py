"""The supernet against plain diffusers: what is switched, copied or cut out computes what it should, bit for bit."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given
from torch import nn

from search_spaces import (
    Action,
    AnyAction,
    Architecture,
    ArchitectureError,
    BlockKind,
    Position,
    Stage,
    UNetSpace,
    parse_action,
)
from search_spaces.actions import CopyStart
from search_spaces.block_forms import ResnetChain, neutralise
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import space_from_config, stock_config
from search_spaces.unets.wiring import module_prefix
from tests.leisure import examples
from tests.search_spaces.conftest import CONFIG, Forward
from tests.strategies import architectures

SPACE = space_from_config(CONFIG)
# Examples share one supernet, as the steps of a search do: every example leaves it at the base, with the copies born.
few = examples(8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def supernet(unet: UNet2DConditionModel) -> Supernet:
    return Supernet(unet)


def without_all_blocks(space: UNetSpace) -> Architecture:
    architecture = space.base
    for action in space.removals(space.base):
        architecture = action.apply(architecture)
    return architecture


def storages(module: nn.Module) -> set[int]:
    return {parameter.data_ptr() for parameter in module.parameters()}


def num_params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def copied(text: str) -> Architecture:
    return Action.parse(text).apply(SPACE.base)


def test_full_architecture_is_the_plain_unet(unet: UNet2DConditionModel, forward: Forward) -> None:
    plain = copy.deepcopy(unet)
    supernet = Supernet(unet)
    supernet.switch(SPACE.base)
    assert torch.equal(forward(supernet.unet), forward(plain))
    assert unet.state_dict().keys() == plain.state_dict().keys()


@few
@given(architecture=architectures(SPACE))
def test_switching_there_and_back_leaves_no_trace(
    architecture: Architecture, supernet: Supernet, forward: Forward
) -> None:
    before, names = forward(supernet.unet), list(supernet.unet.state_dict())
    with supernet.switched(architecture) as unet:
        assert supernet.architecture == architecture
        forward(unet)
    assert supernet.architecture == SPACE.base
    assert list(supernet.unet.state_dict()) == names
    assert torch.equal(forward(supernet.unet), before)


def test_an_error_inside_switched_switches_back(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    with pytest.raises(KeyError), supernet.switched(without_all_blocks(SPACE)):
        raise KeyError
    assert supernet.architecture == SPACE.base


@contextmanager
def neutralised(unet: UNet2DConditionModel, removal: AnyAction) -> Iterator[UNet2DConditionModel]:
    """A plain UNet in which the block of a removal has zeroed output projections for the time of a `with` block."""
    modules = {BlockKind.RESNET: "resnets", BlockKind.CROSS_ATTENTION: "attentions"}[removal.kind]
    block = unet.get_submodule(f"{module_prefix(removal.stage)}.{modules}.{removal.position}")
    weights = copy.deepcopy(block.state_dict())
    neutralise(block)
    yield unet
    block.load_state_dict(weights)


@pytest.mark.parametrize(("kind", "num"), [(BlockKind.RESNET, 22), (BlockKind.CROSS_ATTENTION, 16)])
def test_a_skipped_block_is_the_stock_block_with_zeroed_outputs(
    kind: BlockKind, num: int, unet: UNet2DConditionModel, forward: Forward
) -> None:
    plain, supernet = copy.deepcopy(unet), Supernet(unet)
    removals = [action for action in SPACE.removals(SPACE.base) if action.kind is kind]
    assert len(removals) == num
    for action in removals:
        with supernet.switched(action.apply(SPACE.base)), neutralised(plain, action):
            assert torch.equal(forward(unet), forward(plain)), action


def test_all_blocks_can_be_skipped_at_once(unet: UNet2DConditionModel, forward: Forward) -> None:
    nothing, before = without_all_blocks(SPACE), forward(unet)
    assert (nothing.num_resnets, nothing.num_cross_attentions) == (0, 0)
    with Supernet(unet).switched(nothing):
        output = forward(unet)
    assert output.shape == before.shape
    assert output.isfinite().all()
    assert not torch.equal(output, before)


@few
@given(architecture=architectures(SPACE))
def test_what_is_materialised_computes_the_same_with_the_weights_of_its_blocks_alone(
    architecture: Architecture, supernet: Supernet, forward: Forward
) -> None:
    alone = supernet.materialise(architecture)
    assert num_params(alone) == SPACE.num_params(architecture)
    with supernet.switched(architecture) as unet:
        assert torch.equal(forward(alone), forward(unet))
        assert alone.state_dict().keys() == unet.state_dict().keys()
    assert storages(alone) <= {parameter.data_ptr() for parameter in supernet.all_parameters()}


@few
@given(architecture=architectures(SPACE))
def test_sites_name_the_modules_that_they_price(architecture: Architecture, supernet: Supernet) -> None:
    with supernet.switched(architecture) as unet:
        for site in SPACE.sites(architecture):
            name, _, number = site.name.partition("+")
            module = unet.get_submodule(name)
            if isinstance(module, ResnetChain):
                module = module.get_submodule(number or "0")
            beside = num_params(unet.conv_norm_out) if name == "conv_out" else 0
            assert num_params(module) + beside == site.signature.num_params, site


def test_what_is_materialised_shares_weights_and_keeps_its_structure(
    unet: UNet2DConditionModel, forward: Forward
) -> None:
    supernet = Supernet(unet)
    alone, before = supernet.materialise(SPACE.base), forward(unet)
    supernet.switch(without_all_blocks(SPACE))
    assert torch.equal(forward(alone), before)
    supernet.switch(SPACE.base)
    with torch.no_grad():
        unet.conv_in.weight.add_(1.0)
    assert torch.equal(forward(alone), forward(unet))


def test_removing_allocates_nothing(supernet: Supernet) -> None:
    own = storages(supernet.unet)
    for action in SPACE.removals(SPACE.base):
        supernet.switch(action.apply(supernet.architecture))
        assert storages(supernet.unet) <= own
    supernet.switch(SPACE.base)
    assert storages(supernet.unet) == own


@few
@given(architecture=architectures(SPACE))
def test_a_copy_is_allocated_once(architecture: Architecture, supernet: Supernet) -> None:
    supernet.switch(architecture)
    born = {id(parameter) for parameter in supernet.all_parameters()}
    for other in (SPACE.base, without_all_blocks(SPACE), architecture, SPACE.base):
        supernet.switch(other)
        assert {id(parameter) for parameter in supernet.unet.parameters()} <= born
    assert {id(parameter) for parameter in supernet.all_parameters()} == born


@pytest.mark.parametrize("action", ["+resnet[down.0,1]", "+resnet[mid,1]", "+cross_attention[up.2,1]"])
def test_a_neutral_copy_changes_nothing_at_birth_and_the_same_copy_does(
    action: str, unet: UNet2DConditionModel, forward: Forward
) -> None:
    before = forward(unet)
    neutral = Supernet(copy.deepcopy(unet), copy_start=CopyStart.NEUTRAL)
    neutral.switch(copied(action))
    # Exactly: a zeroed output projection gives zeros, and x + 0 is x in floating point.
    assert torch.equal(forward(neutral.unet), before)
    same = Supernet(copy.deepcopy(unet), copy_start=CopyStart.SAME)
    same.switch(copied(action))
    assert not torch.allclose(forward(same.unet), before, atol=1e-3)


def test_a_gated_resnet_says_a_tenth_of_what_the_same_one_says(unet: UNet2DConditionModel) -> None:
    hidden, temb = (
        torch.randn(1, CONFIG["block_out_channels"][0], 8, 8),
        torch.randn(1, 4 * CONFIG["block_out_channels"][0]),
    )
    said = {}
    for start in CopyStart:
        supernet = Supernet(copy.deepcopy(unet), copy_start=start)
        supernet.switch(copied("+resnet[down.0,1]"))
        with torch.no_grad():
            said[start] = supernet.unet.down_blocks[0].resnets[1](hidden, temb)
    full = said[CopyStart.SAME] - said[CopyStart.NEUTRAL]
    assert full.abs().max() > 1e-3
    assert torch.allclose(said[CopyStart.GATED] - said[CopyStart.NEUTRAL], 0.1 * full, atol=1e-5)


@pytest.mark.parametrize("action", ["+resnet[mid,1]", "+cross_attention[up.2,1]"])
def test_a_gated_copy_changes_less_at_birth_than_the_same_one(
    action: str, unet: UNet2DConditionModel, forward: Forward
) -> None:
    before, changes = forward(unet), {}
    for start in (CopyStart.GATED, CopyStart.SAME):
        supernet = Supernet(copy.deepcopy(unet), copy_start=start)
        supernet.switch(copied(action))
        changes[start] = float((forward(supernet.unet) - before).abs().mean())
    assert 0 < changes[CopyStart.GATED] < 0.5 * changes[CopyStart.SAME]


def test_copies_that_were_born_are_forgotten_but_for_those_that_are_named(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    one, both = copied("+resnet[down.2,1]"), Action.parse("+cross_attention[up.3,0]").apply(copied("+resnet[down.2,1]"))
    supernet.switch(one)
    kept = supernet.weights().keys()
    supernet.switch(both)
    assert supernet.weights().keys() > kept
    supernet.forget_copies(but=kept)
    assert supernet.weights().keys() == kept
    assert supernet.architecture == SPACE.base
    supernet.forget_copies()
    assert supernet.weights().keys() == Supernet(copy.deepcopy(unet)).weights().keys()


def test_parameters_of_an_architecture_have_the_names_of_all_weights(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    supernet.switch(copied("+resnet[down.2,1]"))
    names = {*supernet.weights()}
    without = Action.parse("-resnet[up.0,1]").apply(supernet.architecture)
    parameters = supernet.named_parameters(without)
    gone = {name for name in names - parameters.keys() if name.startswith("up_blocks.0.resnets.1.")}
    assert names - parameters.keys() == gone
    assert {name for name in parameters if name.startswith("up_blocks.0.resnets.1.")} == {
        "up_blocks.0.resnets.1.conv_shortcut.weight",
        "up_blocks.0.resnets.1.conv_shortcut.bias",
    }, "what stays of a skipped ResNet"
    assert any(name.startswith("down_blocks.2.resnets.1.1.") for name in parameters), "copies have names of their own"


def test_copies_are_neutral_unless_asked_otherwise(unet: UNet2DConditionModel) -> None:
    assert Supernet(unet).copy_start is CopyStart.NEUTRAL


def test_a_neutral_copy_can_learn(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    supernet.switch(copied("+resnet[down.0,1]"))
    sample, context = torch.randn(1, 4, 8, 8), torch.randn(1, 3, CONFIG["cross_attention_dim"])
    unet(sample, 5, encoder_hidden_states=context).sample.square().mean().backward()
    copy_ = unet.down_blocks[0].resnets[1].get_submodule("1")
    assert copy_.conv2.weight.grad.abs().sum() > 0


def test_all_parameters_cover_every_copy_born(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    assert {id(p) for p in supernet.all_parameters()} == {id(p) for p in unet.parameters()}
    both = Action.parse("+cross_attention[up.3,0]").apply(copied("+resnet[down.2,1]"))
    supernet.switch(both)
    supernet.switch(without_all_blocks(SPACE))
    parameters = supernet.all_parameters()
    assert sum(parameter.numel() for parameter in parameters) == SPACE.num_params(both)
    assert len({id(parameter) for parameter in parameters}) == len(parameters)
    assert supernet.architecture == without_all_blocks(SPACE)


def test_weights_travel_with_the_copies(unet: UNet2DConditionModel, forward: Forward) -> None:
    """One copy of a ResNet, and two of a transformer layer, which the names alone ask for."""
    twice = Action.parse("+cross_attention[up.3,0]")
    architecture = twice.apply(twice.apply(copied("+resnet[down.2,1]")))
    there, here = Supernet(copy.deepcopy(unet), copy_start=CopyStart.SAME), Supernet(unet)
    there.switch(architecture)
    with torch.no_grad():
        for parameter in there.all_parameters():
            parameter.mul_(1.01)
    here.load_weights(there.weights())
    here.switch(architecture)
    assert torch.equal(forward(here.unet), forward(there.unet))
    assert not storages(here.unet) & storages(there.unet)


def test_weights_of_another_unet_are_refused(unet: UNet2DConditionModel) -> None:
    supernet = Supernet(unet)
    weights = supernet.weights()
    lacking = {name: tensor for name, tensor in weights.items() if name != "conv_in.bias"}
    with pytest.raises(ValueError, match=r"1 are missing, such as \['conv_in.bias'\]"):
        supernet.load_weights(lacking)
    with pytest.raises(ValueError, match=r"1 names or shapes differ, such as \['conv_in.bias'\]"):
        supernet.load_weights(weights | {"conv_in.bias": torch.zeros(3)})


def test_a_spec_that_names_a_block_the_model_lacks_is_refused(unet: UNet2DConditionModel) -> None:
    supernet, plain = Supernet(unet), list(unet.state_dict())
    base = SPACE.base
    extra = Stage(
        place="up.3", positions=(*base.stages[-1].positions, Position(resnets=1, cross_attentions=0, source=3))
    )
    with pytest.raises(ArchitectureError, match=r"the base model has no position up.3\[3\]"):
        supernet.switch(Architecture(stages=(*base.stages[:-1], extra)))
    with pytest.raises(ArchitectureError, match=r"`cross_attentions` at down.3\[0\] must be at most 0, but got 1"):
        supernet.switch(base.with_position("down.3", replace(base.position("down.3", 0), cross_attentions=1)))
    assert (supernet.architecture, list(unet.state_dict())) == (base, plain)


POSITIONS_GONE = {
    "no mid": "-cross_attention[mid,0]&-resnet[mid,0]&-position[mid,0]&-resnet[mid,1]&-position[mid,1]",
    "mid of one ResNet": "-cross_attention[mid,0]&-resnet[mid,1]&-position[mid,1]",
    "a pair": "-cross_attention[down.1,1]&-resnet[down.1,1]&-position[down.1,1]"
    "&-cross_attention[up.2,1]&-resnet[up.2,1]&-position[up.2,1]",
    "innermost stages": "&".join(
        f"-resnet[{stage},{p}]&-position[{stage},{p}]"
        for stage, num in (("down.3", 2), ("up.0", 3))
        for p in range(num)
    ),
}


@pytest.mark.parametrize("text", POSITIONS_GONE.values(), ids=POSITIONS_GONE)
def test_positions_can_go_and_diffusers_builds_the_same_from_a_config(
    text: str, unet: UNet2DConditionModel, forward: Forward
) -> None:
    supernet, action, before = Supernet(unet), parse_action(text), forward(unet)
    smaller = action.apply(SPACE.base)
    assert action.inverse.apply(smaller) == SPACE.base
    alone = supernet.materialise(smaller)
    stock = stock_config(smaller, space=SPACE, base_config=CONFIG)
    plain = UNet2DConditionModel.from_config(stock.config).eval()
    plain.load_state_dict(alone.state_dict())
    assert torch.equal(forward(alone), forward(plain))
    assert sum(p.numel() for p in plain.parameters()) == SPACE.num_params(smaller)
    assert torch.equal(forward(supernet.unet), before)
    assert {site.name for site in SPACE.sites(smaller)} - set(dict(plain.named_modules())) <= {"add_embedding"}


def test_only_blocks_can_be_neutral() -> None:
    with pytest.raises(TypeError, match="but got Conv2d"):
        neutralise(nn.Conv2d(1, 1, 1))


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"mid_block_type": None}, id="no mid"),
        pytest.param({"mid_block_type": "UNetMidBlock2D"}, id="mid of one ResNet"),
        pytest.param({"transformer_layers_per_block": [1, 2, 3, 2], "use_linear_projection": True}, id="deep"),
        pytest.param({"layers_per_block": [1, 2, 1, 3], "resnet_time_scale_shift": "scale_shift"}, id="asymmetric"),
        pytest.param({"resnet_out_scale_factor": 1.5, "mid_block_scale_factor": 2.0}, id="scaled outputs"),
    ],
)
def test_other_topologies_switch_as_well(config: dict[str, object], forward: Forward) -> None:
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_config(CONFIG | config).eval()
    space = space_from_config(unet.config)
    plain, supernet = copy.deepcopy(unet), Supernet(unet)
    removals = space.removals(space.base)
    mid = [action for action in removals if action.stage == "mid"]  # the only stage whose outputs a config scales
    for action in dict.fromkeys((*removals[::9], *mid)):
        architecture = action.apply(space.base)
        if space.base.position(action.stage, action.position).cross_attentions <= 1 or action.kind is BlockKind.RESNET:
            with supernet.switched(architecture), neutralised(plain, action):
                assert torch.equal(forward(unet), forward(plain)), action
        assert num_params(supernet.materialise(architecture)) == space.num_params(architecture)
    with supernet.switched(without_all_blocks(space)):
        assert forward(unet).isfinite().all()
    assert torch.equal(forward(unet), forward(plain))
