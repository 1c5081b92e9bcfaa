"""Named architectures against what their papers and checkpoints say."""

import pytest

from search_spaces import Architecture
from search_spaces.known import (
    bk_sdm_base,
    bk_sdm_small,
    bk_sdm_tiny,
    sd15_space,
    snapfusion_nearest_stock,
    snapfusion_table3,
)
from search_spaces.space_view import counts_by_paper_stage

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
