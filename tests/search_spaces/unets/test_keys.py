"""What may stand in a UNet's config: sizes up to their bounds, and transformer layers counted before any is built."""

from typing import Any

import pytest

from search_spaces.unets.keys import MAX_CHANNELS, MAX_STAGES, MAX_TRANSFORMER_LAYERS, UNET_LAWS, unet_faults


def test_bounds_are_inclusive() -> None:
    for channels, held in [(1, True), (MAX_CHANNELS, True), (0, False), (MAX_CHANNELS + 1, False)]:
        assert UNET_LAWS["in_channels"].holds(channels) is held
    for num_stages, held in [(1, True), (MAX_STAGES, True), (0, False), (MAX_STAGES + 1, False)]:
        assert (unet_faults({"block_out_channels": [8] * num_stages}) == []) is held


@pytest.mark.parametrize(
    ("config", "num"),
    [
        ({"layers_per_block": 64, "block_out_channels": [8] * 16}, 16 * (64 + 65)),
        ({"layers_per_block": 64, "block_out_channels": [8] * 15}, 15 * (64 + 65)),
        ({"layers_per_block": 32, "transformer_layers_per_block": 7}, 4 * 7 * (32 + 33)),
        ({"layers_per_block": 32, "transformer_layers_per_block": [1, [9, 1], 1, 1]}, 4 * 9 * (32 + 33)),
        ({"transformer_layers_per_block": 64, "reverse_transformer_layers_per_block": 64}, 4 * 64 * (2 + 3)),
        ({"block_out_channels": [8] * 16, "transformer_layers_per_block": 30,
          "reverse_transformer_layers_per_block": 22}, 16 * (2 * 30 + 3 * 22)),
    ],
)  # fmt: skip
def test_transformer_layers_are_counted_as_the_deepest_stage_might_have_them(config: dict[str, Any], num: int) -> None:
    wrong = unet_faults(config)
    assert bool(wrong) == (num > MAX_TRANSFORMER_LAYERS)
    assert all(sentence.endswith(f"stages may have {num:,}") for sentence in wrong)
