"""The translator against diffusers itself: parameters of any config, counted without allocating a weight."""

from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import Action, Architecture, UnsupportedConfigError, space_from_config, stock_config
from search_spaces.known.architectures import (
    BASE_CONFIGS,
    SD15_CONFIG,
    SDXL_CONFIG,
    bk_sdm_base,
    bk_sdm_small,
    bk_sdm_tiny,
    sd15_space,
    snapfusion_nearest_stock,
    snapfusion_table3,
)
from search_spaces.unets.diffusers_config import FIXED
from tests.leisure import examples
from tests.strategies import architectures, unet_configs

SPACE = sd15_space()


def meta_unet(config: dict[str, Any]) -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(config)


def num_params(config: dict[str, Any]) -> int:
    return sum(parameter.numel() for parameter in meta_unet(config).parameters())


def num_macs(unet: UNet2DConditionModel, *, height: int, width: int, context_tokens: int) -> float:
    """Half the operations that torch itself counts; with plain attention, since it does not know every fused kernel."""
    unet.set_attn_processor(AttnProcessor())
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        sample = torch.empty(1, unet.config.in_channels, height, width)
        context = torch.empty(1, context_tokens, unet.config.cross_attention_dim)
        unet(sample, torch.empty(1), encoder_hidden_states=context)
    return counter.get_total_flops() / 2


def genes(architecture: Architecture) -> list[list[tuple[int, int]]]:
    return [[(p.resnets, p.cross_attentions) for p in s.positions] for s in architecture.stages if s.positions]


@given(unet_configs())
@examples(20)
def test_any_config_has_the_parameters_that_diffusers_builds(config: dict[str, Any]) -> None:
    space = space_from_config(config)
    assert space.num_params(space.base) == num_params(config)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(BASE_CONFIGS["sd-1.5"], 859_520_964, id="SD-1.5"),
        pytest.param(BASE_CONFIGS["sd-2.1"], 865_910_724, id="SD-2.1"),
        pytest.param(BASE_CONFIGS["sdxl"], 2_567_463_684, id="SDXL"),
        pytest.param(SD15_CONFIG | {"layers_per_block": 1}, 579_384_964, id="BK-SDM Base"),
        pytest.param(SD15_CONFIG | {"layers_per_block": 1, "mid_block_type": None}, 482_346_884, id="BK-SDM Small"),
        pytest.param(
            SDXL_CONFIG | {"layers_per_block": 1, "transformer_layers_per_block": [0, 2, 6]},
            1_161_184_324,
            id="KOALA-1B",
        ),
        pytest.param(
            SDXL_CONFIG | {"layers_per_block": 1, "transformer_layers_per_block": [0, 2, 5], "mid_block_type": None},
            782_822_724,
            id="KOALA-700M",
        ),
        pytest.param(
            SDXL_CONFIG
            | {
                "mid_block_type": "UNetMidBlock2D",
                "transformer_layers_per_block": [1, [2, 2], [4, 4]],
                "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
            },
            1_331_334_404,
            id="nested depths and a mid block of one ResNet",
        ),
    ],
)
def test_published_models_have_their_parameters(config: dict[str, Any], expected: int) -> None:
    space = space_from_config(config)
    assert space.num_params(space.base) == expected == num_params(config)


def test_absent_settings_take_the_defaults_of_diffusers() -> None:
    assert space_from_config({"cross_attention_dim": 768}) == space_from_config(SD15_CONFIG) == SPACE
    assert space_from_config(dict(meta_unet(SD15_CONFIG).config)) == SPACE


def test_sd15_takes_401_gmacs() -> None:
    assert SPACE.num_macs(SPACE.base) == pytest.approx(401.6e9, rel=1e-3)
    assert SPACE.num_macs(SPACE.base) == num_macs(meta_unet(SD15_CONFIG), height=64, width=64, context_tokens=77)


@given(unet_configs(), st.integers(4, 20), st.integers(4, 20), st.integers(1, 8))
@examples(5)
def test_macs_are_those_that_torch_counts(config: dict[str, Any], height: int, width: int, context_tokens: int) -> None:
    """Exactly: both count every product of convolutions, linear layers and attention, and nothing else."""
    config |= {"cross_attention_dim": 12, "addition_embed_type": None}
    space, size = space_from_config(config), {"height": height, "width": width, "context_tokens": context_tokens}
    assert space.num_macs(space.base, **size) == num_macs(meta_unet(config), **size)


@given(unet_configs())
@examples(20)
def test_every_stock_config_survives_the_round_trip(config: dict[str, Any]) -> None:
    space = space_from_config(config)
    stock = stock_config(space.base, space=space, base_config=config)
    assert stock.reasons == ()
    assert stock.config is not None
    again = space_from_config(stock.config)
    assert again == space
    assert again.base.arch_id == space.base.arch_id


@given(st.data(), unet_configs())
@examples(20)
def test_a_stock_config_builds_what_the_architecture_says(data: st.DataObject, config: dict[str, Any]) -> None:
    space = space_from_config(config)
    architecture = data.draw(architectures(space, max_actions=4))
    stock = stock_config(architecture, space=space, base_config=config)
    assert (stock.config is None) == bool(stock.reasons)
    if stock.config is not None:
        assert num_params(stock.config) == space.num_params(architecture)
        assert genes(space_from_config(stock.config).base) == genes(architecture)


@pytest.mark.parametrize("build", [bk_sdm_base, bk_sdm_small, bk_sdm_tiny, snapfusion_nearest_stock])
def test_known_stock_architectures_have_a_stock_config(build: Any) -> None:
    architecture = build()
    stock = stock_config(architecture, space=SPACE, base_config=SD15_CONFIG)
    assert stock.config is not None
    assert num_params(stock.config) == SPACE.num_params(architecture)
    assert genes(space_from_config(stock.config).base) == genes(architecture)


def test_a_base_config_may_leave_out_what_diffusers_knows() -> None:
    stock = stock_config(SPACE.base, space=SPACE, base_config={"cross_attention_dim": 768})
    assert stock.config is not None
    assert num_params(stock.config) == 859_520_964


def test_nearest_stock_config_to_table_3_is_the_one_of_the_literature() -> None:
    stock = stock_config(snapfusion_nearest_stock(), space=SPACE, base_config=SD15_CONFIG).config
    assert stock is not None
    assert stock["layers_per_block"] == [2, 2, 1, 1]
    assert stock["transformer_layers_per_block"] == [1, [1, 1], [2], 1]
    assert stock["reverse_transformer_layers_per_block"] == [1, [3, 3], [1, 1, 1], 1]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("-resnet[down.0,1]", "down.0[1] has a skipped ResNet: a stock position has exactly one ResNet"),
        ("+resnet[down.0,1]", "down.0[1] has 1 ResNet copies: a stock position has exactly one ResNet"),
        ("-cross_attention[up.3,0]", "up.3 has cross-attention at some positions only (0, 1, 1)"),
        (
            "-cross_attention[mid,0]",
            "mid holds cross-attention depths (0, 0): stock mid blocks are (n, 0), (0,) or none",
        ),
    ],
)
def test_what_is_no_stock_config_has_its_reason(action: str, reason: str) -> None:
    architecture = Action.parse(action).apply(SPACE.base)
    stock = stock_config(architecture, space=SPACE, base_config=SD15_CONFIG)
    assert stock.config is None
    assert stock.reasons == (reason,)


def test_table_3_read_literally_has_every_reason_named() -> None:
    reasons = stock_config(snapfusion_table3(), space=SPACE, base_config=SD15_CONFIG).reasons
    assert [reason.split(" ")[0] for reason in reasons] == ["down.2[1]", "down.3[1]", "mid[1]", "up.0[1]", "up.1[1]"]


def test_mid_shares_its_depth_with_the_innermost_stage() -> None:
    space = space_from_config(SDXL_CONFIG)
    architecture = Action.parse("-cross_attention[mid,0]").apply(space.base)
    stock = stock_config(architecture, space=space, base_config=SDXL_CONFIG)
    assert stock.reasons == ("mid has depth 9 but shares its config entry with the innermost stage's [10, 10]",)


def test_everything_unsupported_is_named_at_once() -> None:
    config = {
        "down_block_types": ["CrossAttnDownBlock2D", "AttnDownBlock2D", "KDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "SimpleCrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "class_embed_type": "timestep",
        "conv_in_kernel": 5,
        "addition_embed_type": "image",
        "only_cross_attention": [True, False, False, False],
        "layers_per_block": [2, 2],
    }
    with pytest.raises(UnsupportedConfigError, match="this UNet cannot be searched: ") as raised:
        space_from_config(config)
    for part in (
        "`down_block_types` holds 'AttnDownBlock2D'; supported: CrossAttnDownBlock2D, DownBlock2D",
        "`down_block_types` holds 'KDownBlock2D'",
        "`up_block_types` holds 'SimpleCrossAttnUpBlock2D'; supported: CrossAttnUpBlock2D, UpBlock2D",
        "`up_block_types` has 3 stages but `block_out_channels` has 4",
        "`mid_block_type` is 'UNetMidBlock2DSimpleCrossAttn'",
        "`class_embed_type` is 'timestep'; supported: None",
        "`conv_in_kernel` is 5; supported: 3",
        "`addition_embed_type` is 'image'",
        "`only_cross_attention` is set",
        "`layers_per_block` has 2 entries but `block_out_channels` has 4",
    ):
        assert part in str(raised.value)


# Values that diffusers takes and the space does not.
OTHERS: dict[str, Any] = {
    "attention_type": "gated",
    "class_embed_type": "timestep",
    "conv_in_kernel": 5,
    "conv_out_kernel": 5,
    "cross_attention_norm": "layer_norm",
    "encoder_hid_dim": 16,
    "encoder_hid_dim_type": "text_proj",
    "num_class_embeds": 10,
    "time_embedding_act_fn": "silu",
    "time_embedding_type": "fourier",
    "timestep_post_act": "silu",
}


@pytest.mark.parametrize("key", sorted(FIXED))
def test_settings_that_the_space_does_not_describe_are_refused_each_by_name(key: str) -> None:
    other = OTHERS.get(key, True)
    with pytest.raises(UnsupportedConfigError, match=f"`{key}` is {other!r}; supported: {FIXED[key]!r}"):
        space_from_config(SD15_CONFIG | {key: other})
    with pytest.raises(UnsupportedConfigError, match=f"`{key}`"):
        space_from_config(SD15_CONFIG | {key: "another"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_attention_heads": [5, 10]}, "`num_attention_heads` has 2 entries but `block_out_channels` has 4"),
        ({"layers_per_block": [2, 0, 2, 2]}, r"`layers_per_block` is \[2, 0, 2, 2\]; supported: at least 1"),
        ({"transformer_layers_per_block": [1, [1, 1], 1, 1]}, "`reverse_transformer_layers_per_block` is missing"),
        (
            {
                "transformer_layers_per_block": [1, [1], 1, 1],
                "reverse_transformer_layers_per_block": [1, [1, 1, 1], [1, 1], 1],
            },
            r"`transformer_layers_per_block` has 1 depths in entry 1, a stage of 2 positions; "
            "`reverse_transformer_layers_per_block` has 2 depths in entry 2, a stage of 3 positions",
        ),
        ({"transformer_layers_per_block": [0, 1, 1, 1]}, "has depth 0 in entry 0, a stage with cross-attention"),
        ({"transformer_layers_per_block": [1, 1, 1, 0]}, "has depth 0 for mid; supported: at least 1"),
        ({"norm_num_groups": None}, "`norm_num_groups` is None"),
        ({"mid_block_only_cross_attention": True}, "`only_cross_attention` is set"),
    ],
)
def test_what_the_space_cannot_describe_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedConfigError, match=message):
        space_from_config(SD15_CONFIG | changed)
