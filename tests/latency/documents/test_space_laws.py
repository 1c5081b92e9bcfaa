"""Which spaces may stand in a document: those of UNets, of any number of stages, and no others."""

from dataclasses import replace
from typing import Any

import pytest

from latency.documents.space_laws import wrong_space
from search_spaces import UNetSpace, space_from_config


def space_of(num_stages: int) -> UNetSpace:
    return space_from_config(
        {
            "sample_size": 8,
            "block_out_channels": [8] * num_stages,
            "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D"] * num_stages,
            "up_block_types": ["CrossAttnUpBlock2D"] * num_stages,
            "attention_head_dim": 2,
            "cross_attention_dim": 8,
        }
    )


@pytest.mark.parametrize("num_stages", [1, 2, 4])
def test_a_unet_of_any_number_of_stages_breaks_no_law(num_stages: int) -> None:
    assert wrong_space(space_of(num_stages)) == []


@pytest.mark.parametrize("places", [(), ("mid",), ("down.0", "mid"), ("up.0", "mid", "down.0")])
def test_what_does_not_go_down_and_up_again_is_no_unet(places: tuple[str, ...]) -> None:
    whole = space_of(1)
    by_place = {stage.place: stage for stage in whole.stages}
    (wrong,) = wrong_space(replace(whole, stages=tuple(by_place[place] for place in places)))
    assert wrong.startswith("space.stages: must be down.0 .., mid, up.0 ..")


@pytest.mark.parametrize(
    ("start", "allowed", "forbidden"),
    [
        ("space.sample_size: must be at least 1", {"sample_size": (1, 1)}, {"sample_size": (1, 0)}),
        ("space.channels: must be at least 1", {"in_channels": 1_048_576}, {"in_channels": 1_048_577}),
        ("space.max_copies: must be 0 to 64", {"max_copies": 64}, {"max_copies": 65}),
        ("space.mid.channels and heads: must be", {"channels": 1_048_576}, {"channels": 1_048_577}),
        ("space.mid: must have at most one head", {"channels": 2, "heads": 2}, {"channels": 2, "heads": 3}),
        ("space.mid.depths: must be 1 to 64", {"depths": (64,) * 64}, {"depths": (1,) * 65}),
        ("space.mid.depths: must be 1 to 64", {"depths": (0,)}, {"depths": (65,)}),
        ("space.mid.cross_attention_dim: must be", {"cross_attention_dim": 0}, {"cross_attention_dim": -1}),
    ],
)
def test_a_number_beyond_its_bound_is_refused(start: str, allowed: Any, forbidden: Any) -> None:
    whole = space_of(1)

    def wrong_with(changes: dict[str, Any]) -> list[str]:
        if not start.startswith("space.mid"):
            return wrong_space(replace(whole, **changes))
        stages = tuple(replace(stage, **changes) if stage.place == "mid" else stage for stage in whole.stages)
        return wrong_space(replace(whole, stages=stages))

    assert wrong_with(allowed) == []
    (wrong,) = wrong_with(forbidden)
    assert wrong.startswith(start)
