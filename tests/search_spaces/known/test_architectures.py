"""Named architectures against what their papers and checkpoints say."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.resnet import ResnetBlock2D
from torch.utils.flop_counter import FlopCounterMode

from search_spaces import Architecture
from search_spaces.known.architectures import (
    bk_sdm_base,
    bk_sdm_small,
    bk_sdm_tiny,
    known_config,
    sd15_space,
    snapfusion_nearest_stock,
    snapfusion_table3,
)
from search_spaces.known.listing import known_models, markdown_table
from search_spaces.unets.view import counts_by_paper_stage
from tests.leisure import some

SPACE = sd15_space()
PLACES = ("Down-1", "Down-2", "Down-3", "Mid", "Up-1", "Up-2", "Up-3")
# SnapFusion, Table 3: (cross-attention, ResNet) per stage of Stable Diffusion 1.5 and of the UNet that was found.
BEFORE = ((2, 2), (2, 2), (2, 2), (1, 7), (3, 3), (3, 3), (3, 3))
AFTER = ((0, 2), (2, 2), (2, 1), (1, 4), (6, 2), (3, 3), (0, 3))


def table(architecture: Architecture) -> list[tuple[str, int, int]]:
    rows = counts_by_paper_stage(SPACE, architecture)
    return [(row["paper_stage"], row["num_cross_attentions"], row["num_resnets"]) for row in rows]


def test_table_3() -> None:
    assert table(SPACE.base) == [(name, *counts) for name, counts in zip(PLACES, BEFORE, strict=True)]
    assert table(snapfusion_table3()) == [(name, *counts) for name, counts in zip(PLACES, AFTER, strict=True)]


def test_nearest_stock_is_table_3_but_for_one_resnet_in_mid() -> None:
    expected = [(name, *counts) for name, counts in zip(PLACES, AFTER, strict=True)]
    expected[PLACES.index("Mid")] = ("Mid", 1, 5)
    assert table(snapfusion_nearest_stock()) == expected


@pytest.mark.parametrize(
    ("architecture", "num_params"),
    [
        (SPACE.base, 859_520_964),
        (bk_sdm_base(), 579_384_964),
        (bk_sdm_small(), 482_346_884),
        (bk_sdm_tiny(), 323_384_964),
        (snapfusion_nearest_stock(), 774_056_324),
    ],
    ids=["sd-1.5", "bk-sdm-base", "bk-sdm-small", "bk-sdm-tiny", "snapfusion-nearest-stock"],
)
def test_parameters(architecture: Architecture, num_params: int) -> None:
    assert SPACE.num_params(architecture) == num_params


def test_table_3_read_literally_lies_among_the_known_readings() -> None:
    assert 723e6 < SPACE.num_params(snapfusion_table3()) < 786e6  # the paper prints 848 M, which no reading gives


def test_smaller_models_take_fewer_macs() -> None:
    macs = [SPACE.num_macs(a) for a in (SPACE.base, bk_sdm_base(), bk_sdm_small(), bk_sdm_tiny())]
    assert macs == sorted(macs, reverse=True)


STOCK = [model for model in known_models() if model["is_stock"]]


@pytest.mark.parametrize("model", STOCK, ids=lambda m: m["name"])
def test_known_models_have_what_diffusers_builds(model: dict[str, Any]) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(known_config(model["name"]))
    assert model["num_params"] == sum(parameter.numel() for parameter in unet.parameters())
    layers = sum(isinstance(module, BasicTransformerBlock) for module in unet.modules())
    resnets = sum(isinstance(module, ResnetBlock2D) for module in unet.modules())
    assert (model["num_cross_attentions"], model["num_resnets"]) == (layers, resnets)


@pytest.mark.parametrize("model", some(STOCK), ids=lambda m: m["name"])
def test_known_models_take_what_torch_counts(model: dict[str, Any]) -> None:
    """Half the operations of a forward pass, exactly."""
    height, width = map(int, model["latents"].split("x"))
    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel.from_config(known_config(model["name"]))
        unet.set_attn_processor(AttnProcessor())
        added = {}
        if unet.config.addition_embed_type == "text_time":
            added = {"added_cond_kwargs": {"text_embeds": torch.empty(1, 1280), "time_ids": torch.empty(1, 6)}}
        widths = unet.config.cross_attention_dim
        context = torch.empty(1, 77, widths if isinstance(widths, int) else max(widths))
        sample = torch.empty(1, 4, height, width)
        with FlopCounterMode(display=False) as counter:
            unet(sample, torch.empty(1), encoder_hidden_states=context, **added)
    assert model["num_macs"] == counter.get_total_flops() / 2


# Of the published checkpoints; SSD-1B's and Vega's by the sizes of their files, KOALA's by their paper.
PUBLISHED = {
    "sdxl": 2_567_463_684, "ssd-1b": 1_331_334_404, "segmind-vega": 745_225_604,
    "koala-1b": 1_161_184_324, "koala-700m": 782_822_724,
}  # fmt: skip


def test_students_of_sdxl_have_their_published_size() -> None:
    counted = {model["name"]: model["num_params"] for model in known_models()}
    assert {name: counted[name] for name in PUBLISHED} == PUBLISHED


def test_the_documents_table_is_what_the_command_prints() -> None:
    document = (Path(__file__).parents[3] / "docs" / "known_models.md").read_text(encoding="utf-8")
    assert markdown_table(known_models()) in document
