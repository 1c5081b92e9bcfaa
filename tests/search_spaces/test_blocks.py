"""Signatures against the modules that diffusers builds for them."""

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import BlockKind, BlockSignature

CHANNELS = st.sampled_from([8, 16, 24])


def num_params(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@given(CHANNELS, CHANNELS, st.sampled_from(["", "scale_shift"]))
def test_resnet_has_the_parameters_of_its_module(c_in: int, c_out: int, variant: str) -> None:
    signature = BlockSignature(
        kind=BlockKind.RESNET,
        in_channels=c_in,
        out_channels=c_out,
        height=4,
        width=4,
        temb_channels=20,
        variant=variant,
    )
    with torch.device("meta"):
        module = ResnetBlock2D(
            in_channels=c_in, out_channels=c_out, temb_channels=20, groups=4, time_embedding_norm=variant or "default"
        )
    assert signature.num_params == num_params(module)


@given(CHANNELS, st.sampled_from([1, 2, 4]), st.integers(1, 3), st.booleans())
def test_cross_attention_has_the_parameters_of_its_module(channels: int, heads: int, layers: int, linear: bool) -> None:
    signature = BlockSignature(
        kind=BlockKind.CROSS_ATTENTION, in_channels=channels, out_channels=channels, height=4, width=4, layers=layers,
        heads=heads, head_dim=channels // heads, cross_attention_dim=12, context_tokens=5,
        variant="linear" if linear else "",
    )  # fmt: skip
    with torch.device("meta"):
        module = Transformer2DModel(
            heads, channels // heads, in_channels=channels, num_layers=layers, norm_num_groups=4,
            cross_attention_dim=12, use_linear_projection=linear,
        )  # fmt: skip
    assert signature.num_params == num_params(module)


def test_only_size_and_text_length_may_change_without_changing_parameters() -> None:
    block = {"kind": BlockKind.RESNET, "in_channels": 8, "out_channels": 8, "temb_channels": 20}
    small, large = (BlockSignature(**block, height=n, width=n) for n in (4, 8))  # type: ignore[arg-type]
    assert small.num_params == large.num_params
    assert large.num_macs == 4 * (small.num_macs - 160) + 160  # the time embedding is projected once


def test_short_names() -> None:
    up = BlockSignature(kind=BlockKind.RESNET, in_channels=1920, out_channels=640, height=32, width=32)
    deep = BlockSignature(
        kind=BlockKind.CROSS_ATTENTION,
        in_channels=320,
        out_channels=320,
        height=64,
        width=64,
        layers=2,
        heads=8,
        head_dim=40,
    )
    assert str(up) == "resnet 1920->640 32x32"
    assert str(deep) == "cross_attention 320 64x64 x2"
    assert str(BlockSignature(kind=BlockKind.REST)) == "rest"


@pytest.mark.parametrize("size", [-1, 2**31])
def test_sizes_that_cannot_be_are_named(size: int) -> None:
    with pytest.raises(ValueError, match=rf"from 0 to 2147483647, but got \{{'height': {size}\}} for kind resnet"):
        BlockSignature(kind=BlockKind.RESNET, height=size)


def test_cross_attention_needs_heads() -> None:
    with pytest.raises(ValueError, match="needs `heads` and `head_dim` of at least 1"):
        BlockSignature(kind=BlockKind.CROSS_ATTENTION, in_channels=8, out_channels=8)


def test_signatures_have_an_order_and_a_hash() -> None:
    signatures = [BlockSignature(kind=kind) for kind in (BlockKind.UPSAMPLE, BlockKind.CONV_IN, BlockKind.CONV_IN)]
    assert sorted(set(signatures)) == [signatures[1], signatures[0]]
