"""Hypothesis strategies for the whole test suite: UNet configs, architectures and actions of a space, scenes."""

from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from search_spaces.actions import GENES, Action, AnyAction, Sign
from search_spaces.architecture import Architecture
from search_spaces.shapes.scenes import (
    AND,
    BACKGROUNDS,
    COLOURS,
    PLACES,
    RELATIONS,
    SIZES,
    TEXTURES,
    THINGS,
    Group,
    Scene,
)
from search_spaces.unets.space import UNetSpace

HEADS = (1, 2, 4)
CHANNELS = (8, 16, 24)  # each divisible by every number of heads and by the number of groups


@st.composite
def unet_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Configs of small UNets that diffusers builds and the space describes, with every form that its settings take."""
    num = draw(st.integers(2, 4))

    def for_every_stage(values: st.SearchStrategy[int]) -> Any:
        return draw(st.one_of(values, st.lists(values, min_size=num, max_size=num)))

    downs, ups = (draw(st.lists(st.booleans(), min_size=num, max_size=num)) for _ in range(2))
    config: dict[str, Any] = {
        "sample_size": draw(st.sampled_from([None, 8, (8, 6)])),
        "block_out_channels": draw(st.lists(st.sampled_from(CHANNELS), min_size=num, max_size=num)),
        "layers_per_block": for_every_stage(st.integers(1, 3)),
        "down_block_types": ["CrossAttnDownBlock2D" if attends else "DownBlock2D" for attends in downs],
        "mid_block_type": draw(st.sampled_from(["UNetMidBlock2DCrossAttn", "UNetMidBlock2D", None])),
        "up_block_types": ["CrossAttnUpBlock2D" if attends else "UpBlock2D" for attends in ups],
        "attention_head_dim": for_every_stage(st.sampled_from(HEADS)),
        "cross_attention_dim": for_every_stage(st.sampled_from([8, 12])),
        "transformer_layers_per_block": for_every_stage(st.integers(1, 3)),
        "norm_num_groups": 4,
        "use_linear_projection": draw(st.booleans()),
        "resnet_time_scale_shift": draw(st.sampled_from(["default", "scale_shift"])),
        "time_embedding_dim": draw(st.sampled_from([None, 20])),
    }
    if draw(st.booleans()):
        layers = config["layers_per_block"]
        layers = layers if isinstance(layers, list) else [layers] * num
        config["transformer_layers_per_block"] = [draw(_depths(num_positions)) for num_positions in layers]
        config["reverse_transformer_layers_per_block"] = [draw(_depths(n + 1)) for n in reversed(layers)]
    if draw(st.booleans()):
        config |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 40,
        }
    return config


def _depths(num_positions: int) -> st.SearchStrategy[int | list[int]]:
    depth = st.integers(1, 3)
    return st.one_of(depth, st.lists(depth, min_size=num_positions, max_size=num_positions))


@st.composite
def architectures(draw: st.DrawFn, space: UNetSpace, *, max_actions: int = 8) -> Architecture:
    """Architectures that a random walk of possible actions reaches from the base model."""
    architecture = space.base
    for _ in range(draw(st.integers(0, max_actions))):
        possible = _possible(space, architecture)
        if not possible:  # a stock space may hold its base alone
            break
        architecture = draw(st.sampled_from(possible)).apply(architecture)
    return architecture


def possible_actions(space: UNetSpace, architecture: Architecture) -> st.SearchStrategy[AnyAction]:
    """Actions that a space of any architectures offers; a removed block can always come back, so there is one."""
    return st.sampled_from(_possible(space, architecture))


@lru_cache(maxsize=2**14)
def _possible(space: UNetSpace, architecture: Architecture) -> tuple[AnyAction, ...]:
    """Examples come by the same architectures again and again, and a stock space checks every one of its actions."""
    return (*space.removals(architecture), *space.copies(architecture))


def actions(space: UNetSpace) -> st.SearchStrategy[Action]:
    """Actions on any position of a space, possible or not."""
    positions = [(place, position.source) for place, position in space.base.positions()]
    return st.builds(
        lambda sign, kind, where: Action(sign=sign, kind=kind, stage=where[0], position=where[1]),
        st.sampled_from(Sign),
        st.sampled_from(list(GENES)),
        st.sampled_from(positions),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Every scene that the small model's pictures may show."""
    look = {
        "thing": st.sampled_from(THINGS),
        "colour": st.sampled_from(COLOURS),
        "texture": st.sampled_from(TEXTURES),
    }
    background = draw(st.sampled_from(BACKGROUNDS))
    fades_to = draw(st.sampled_from([None, *(colour for colour in BACKGROUNDS if colour != background)]))
    behind: dict[str, Any] = {"background": background, "fades_to": fades_to}
    match draw(st.sampled_from(["alone", "alike", "related"])):
        case "alone":
            one = draw(st.builds(Group, **look, size=st.sampled_from(SIZES)))
            return Scene(groups=(one,), place=draw(st.sampled_from(PLACES)), **behind)
        case "alike":
            return Scene(groups=(draw(st.builds(Group, **look, count=st.integers(2, 4))),), **behind)
    first = draw(st.builds(Group, **look, count=st.integers(1, 3)))
    second = draw(
        st.builds(Group, **look, count=st.integers(1, 4 - first.count)).filter(lambda other: other.look != first.look)
    )
    return Scene(groups=(first, second), relation=draw(st.sampled_from([AND, *RELATIONS])), **behind)
