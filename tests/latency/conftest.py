"""A tiny real UNet and one cache of its exported blocks for the whole session: exporting is what takes time here."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from latency.blocks.modules import Inputs, isolated_blocks, whole_model
from latency.blocks.tasks import workload_of
from latency.exporters.cache import ExportCache
from latency.testing.backend_laws import TINY_UNET
from search_spaces import space_from_config
from search_spaces.supernet import Supernet
from tests.latency.strategies import TOKENS

# One stage of it: fewer files to export, and most of them are the same.
ONE_STAGE = TINY_UNET | {
    "block_out_channels": (8,),
    "down_block_types": ("CrossAttnDownBlock2D",),
    "up_block_types": ("CrossAttnUpBlock2D",),
}


@pytest.fixture(scope="session")
def tiny():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**TINY_UNET).eval()
    return Supernet(unet, space=space_from_config(unet.config, max_copies=1))


@pytest.fixture(scope="session")
def one_stage():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(**ONE_STAGE).eval()
    return Supernet(unet, space=space_from_config(unet.config, max_copies=1))


@pytest.fixture(scope="session")
def one_stage_workload(one_stage):
    return workload_of(one_stage, base_model="one stage", batch=1, height=0, width=0, context_tokens=TOKENS)


@pytest.fixture(scope="session")
def tiny_calls(tiny):
    """Calls of every block and, under the base architecture, of the whole model."""
    inputs = Inputs(tiny.unet, batch=1, context_tokens=TOKENS, seed=0)
    blocks = isolated_blocks(tiny, inputs, height=9, width=9)
    return blocks | {tiny.space.base: whole_model(tiny.unet, inputs, space=tiny.space, height=9, width=9)}


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    return ExportCache(tmp_path_factory.mktemp("exports"))
