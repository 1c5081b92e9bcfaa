"""A UNet of SD-1.5's topology, small enough to run in milliseconds: 22 ResNets, 16 cross-attentions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from search_spaces import UNetSpace, space_from_config

CONFIG: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": [8, 16, 24, 24],
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": 12,
}

Forward = Callable[[UNet2DConditionModel], torch.Tensor]


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    return dict(CONFIG)


@pytest.fixture(scope="session")
def space() -> UNetSpace:
    return space_from_config(CONFIG)


@pytest.fixture
def unet() -> UNet2DConditionModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DConditionModel.from_config(CONFIG).eval()


@pytest.fixture(scope="session")
def forward() -> Forward:
    """The output of a UNet for one seeded input; its 12x12 latents get odd sizes on the way down."""
    generator = torch.Generator().manual_seed(1)
    sample = torch.randn(2, 4, 12, 12, generator=generator)
    context = torch.randn(2, 5, 12, generator=generator)

    @torch.inference_mode()
    def run(unet: UNet2DConditionModel) -> torch.Tensor:
        output: torch.Tensor = unet(sample, torch.tensor([10, 700]), encoder_hidden_states=context).sample
        return output

    return run
