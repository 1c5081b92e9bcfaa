"""Cutting channels out of a decoder: what stays belongs together, and what cannot be cut is refused."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL

from nas.distillation.decoder.pruning import pruned, pruned_widths
from nas.distillation.decoder.settings import Criterion


def autoencoder(**config: Any) -> AutoencoderKL:
    num = len(config.get("block_out_channels", ()))
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * num,
        **{"up_block_types": ["UpDecoderBlock2D"] * num, "norm_num_groups": 4, "layers_per_block": 1} | config,
    ).eval()


# Equal neighbours share a stream, as in Stable Diffusion; attention on the way up; more ResNets; none in the middle.
KINDS = [
    {"block_out_channels": [16, 32, 32]},
    {"block_out_channels": [16, 24], "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"]},
    {"block_out_channels": [8, 16], "layers_per_block": 2, "mid_block_add_attention": False},
    {"block_out_channels": [8, 16], "use_post_quant_conv": False},
]


@pytest.mark.parametrize("config", KINDS)
@pytest.mark.parametrize("criterion", list(Criterion))
def test_all_channels_in_their_order_are_the_decoder_itself(config: dict[str, Any], criterion: Criterion) -> None:
    vae, z = autoencoder(**config), torch.randn(2, 4, 4, 4)
    same = pruned(vae, ratio=1.0, criterion=criterion, seed=0)
    assert torch.equal(same.decode(z).sample, vae.decode(z).sample)


@pytest.mark.parametrize("config", KINDS)
def test_half_the_channels_are_about_a_quarter_of_the_decoder_and_compute(config: dict[str, Any]) -> None:
    vae = autoencoder(**config)
    small = pruned(vae, ratio=0.5, criterion=Criterion.MAGNITUDE, seed=0)
    whole, half = (sum(each.numel() for each in of.decoder.parameters()) for of in (vae, small))
    assert 3.5 < whole / half < 4.1
    assert list(small.config.block_out_channels) == [each // 2 for each in vae.config.block_out_channels]
    assert torch.isfinite(small.decode(torch.randn(1, 4, 4, 4)).sample).all()
    posterior = small.encode(torch.rand(1, 3, 16, 16)).latent_dist
    assert not posterior.mean.any(), "an encoder that nobody trained says nothing, for all to see"


@torch.no_grad()
def test_the_largest_channels_of_every_group_stay_together_with_all_that_reads_them() -> None:
    """Channels 1, 3, 5, .. are made ten times as large where they are written: those are the ones that stay."""
    vae = autoencoder(block_out_channels=[8, 16], mid_block_add_attention=False)
    decoder, odd = vae.decoder, torch.arange(1, 16, 2)
    writers = [decoder.conv_in, decoder.mid_block.resnets[0].conv2, decoder.mid_block.resnets[1].conv2]
    writers += [each.conv2 for each in decoder.up_blocks[0].resnets]
    for writer in writers:
        writer.weight[odd] *= 10
    hidden = decoder.mid_block.resnets[0].conv1
    hidden.weight[odd - 1] *= 10
    small = pruned(vae, ratio=0.5, criterion=Criterion.MAGNITUDE, seed=0).decoder
    assert torch.equal(small.conv_in.weight, decoder.conv_in.weight[odd])
    assert torch.equal(small.mid_block.resnets[0].conv1.weight, hidden.weight[odd - 1][:, odd])
    assert torch.equal(small.mid_block.resnets[0].norm1.weight, decoder.mid_block.resnets[0].norm1.weight[odd])
    conv2 = decoder.mid_block.resnets[0].conv2
    assert torch.equal(small.mid_block.resnets[0].conv2.weight, conv2.weight[odd][:, odd - 1])
    upsampler, narrow = (each.up_blocks[0].upsamplers[0].conv.weight for each in (decoder, small))
    kept = [row for row in upsampler[:, odd] if any(torch.equal(row, each) for each in narrow)]
    assert len(kept) == len(narrow) == 8


def test_every_group_keeps_as_many_as_every_other() -> None:
    vae = autoencoder(block_out_channels=[16, 16], mid_block_add_attention=False)
    with torch.no_grad():
        vae.decoder.conv_in.weight[:4] *= 100  # all of the first group
    small = pruned(vae, ratio=0.5, criterion=Criterion.MAGNITUDE, seed=0)
    kept = [
        next(i for i, row in enumerate(vae.decoder.conv_in.weight) if torch.equal(row, own))
        for own in small.decoder.conv_in.weight
    ]
    assert [sum(group * 4 <= each < group * 4 + 4 for each in kept) for group in range(4)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("widths", "groups", "ratio", "words"),
    [
        ([16, 32], 8, 0.3, r"0.3 of 16 channels is 4.8; choose among 0.5"),
        ([16, 32], 8, 0.75, r"0.75 of 16 channels is 12; choose among 0.5"),
        ([32, 64], 32, 0.5, r"the 32 groups .* 0.5 of 32 channels is 16; no ratio leaves any"),
    ],
)
def test_a_ratio_that_leaves_no_group_names_those_that_do(
    widths: list[int], groups: int, ratio: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        pruned_widths({"block_out_channels": widths, "norm_num_groups": groups}, ratio=ratio)
