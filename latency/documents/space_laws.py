"""What a space that comes from a file must obey before anything is computed from it.

`search_spaces.unets.diffusers_config` only makes spaces of UNets; a file may hold anything, such as no stages, or so
many layers that listing the blocks never ends. Pure.
"""

from typing import Final

from search_spaces import UNetSpace

MAX_DEPTH: Final = 64  # positions of a stage, layers of a cross-attention, copies: far beyond any UNet
MAX_CHANNELS: Final = 1 << 20


def wrong_space(space: UNetSpace, /) -> list[str]:
    """Sentences about what keeps a space from being a UNet's; none for a space made from a model's config."""
    places = [stage.place for stage in space.stages]
    num = sum(place.startswith("down.") for place in places)
    unet = [*(f"down.{i}" for i in range(num)), "mid", *(f"up.{i}" for i in range(num))]
    wrong = []
    if num == 0 or places not in (unet, [place for place in unet if place != "mid"]):
        wrong.append(f"space.stages: must be down.0 .., mid, up.0 .., as many up as down, but got {places}")
    numbers: dict[str, tuple[int, ...]] = {
        "sample_size": space.sample_size,
        "channels": (space.in_channels, space.out_channels, space.temb_channels, *space.conditioning_channels),
    }
    for stage in space.stages:
        numbers[f"{stage.place}.channels and heads"] = (stage.channels, stage.heads)
        if stage.channels < stage.heads:
            wrong.append(f"space.{stage.place}: must have at most one head per channel, but got {stage.heads} heads")
        if not 1 <= len(stage.depths) <= MAX_DEPTH or not all(0 <= depth <= MAX_DEPTH for depth in stage.depths):
            wrong.append(f"space.{stage.place}.depths: must be 1 to {MAX_DEPTH} numbers of 0 to {MAX_DEPTH}")
        if stage.cross_attention_dim < 0:
            wrong.append(f"space.{stage.place}.cross_attention_dim: must be at least 0")
    wrong += [
        f"space.{name}: must be at least 1 and at most {MAX_CHANNELS}, but got {values}"
        for name, values in numbers.items()
        if not all(1 <= value <= MAX_CHANNELS for value in values)
    ]
    if not 0 <= space.max_copies <= MAX_DEPTH:
        wrong.append(f"space.max_copies: must be 0 to {MAX_DEPTH}, but got {space.max_copies}")
    return wrong
