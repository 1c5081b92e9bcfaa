"""How the stages of a UNet hang together: geometry, skips made and taken, channels that blocks see, module names."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from search_spaces.architecture import Architecture, Position, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageGeometry:
    """Shape of one stage of the base model.

    Attributes:
        place: diffusers' name: "down.0", "mid", "up.3".
        channels: Output channels of its ResNets.
        depths: Depth of the cross-attention at each position; 0 where the base model has none.
        heads: Attention heads.
        cross_attention_dim: Width of the text embedding that its cross-attentions read.
    """

    place: str
    channels: int
    depths: tuple[int, ...]
    heads: int
    cross_attention_dim: int


def resnet_in_channels(
    architecture: Architecture, /, *, stages: tuple[StageGeometry, ...]
) -> dict[tuple[str, int], int]:
    """Input channels (with the concatenated skip) of the ResNet at every (place, source).

    Args:
        architecture: Skips that its down stages make are taken by its up stages.
        stages: Geometry of the base model's stages.
    """
    channels = {geometry.place: geometry.channels for geometry in stages}
    hidden = stages[0].channels
    skips, inputs, innermost = [hidden], {}, last_down(architecture)
    for stage in architecture.stages:
        for position in stage.positions:
            inputs[stage.place, position.source] = hidden + (skips.pop() if stage.place.startswith("up") else 0)
            hidden = channels[stage.place]
            if stage.place.startswith("down"):
                skips.append(hidden)
        if stage.place.startswith("down") and stage.place != innermost:
            skips.append(hidden)  # of the downsampler
    return inputs


@lru_cache(maxsize=64)
def base_architecture(stages: tuple[StageGeometry, ...], /) -> Architecture:
    """The base model itself: every ResNet once, every cross-attention at its own depth."""
    return Architecture(
        stages=tuple(
            Stage(
                place=stage.place,
                positions=tuple(
                    Position(resnets=1, cross_attentions=depth, source=i) for i, depth in enumerate(stage.depths)
                ),
            )
            for stage in stages
        )
    )


@lru_cache(maxsize=64)
def own_in_channels(stages: tuple[StageGeometry, ...], /) -> Mapping[tuple[str, int], int]:
    """Input channels of the base model's ResNets: those of their weights."""
    return MappingProxyType(resnet_in_channels(base_architecture(stages), stages=stages))


def unpaired_skips(architecture: Architecture, /, *, stages: tuple[StageGeometry, ...]) -> list[str]:
    """What is wrong with the skips, each made by a down stage and taken by the up stage that mirrors it."""
    num_positions = {stage.place: len(stage.positions) for stage in architecture.stages}
    wrong = []
    for down, up in mirrored(stages):
        made, taken = num_positions.get(down, 0), num_positions.get(up, 0)
        if made == taken == 0 and down == "down.0":
            wrong.append(f"{down} and {up} must stay: conv_in and conv_out have their channels")
        elif (made or taken) and (made == 0 or taken != made + 1):
            wrong.append(
                f"{up} takes the skips of {down} and must have one position more, or both must be gone, "
                f"but they have {taken} and {made}"
            )
    return wrong


def mirrored(stages: tuple[StageGeometry, ...], /) -> list[tuple[str, str]]:
    """Every down stage with the up stage that takes its skips, outermost first."""
    num = sum(geometry.place.startswith("down") for geometry in stages)
    return [(f"down.{i}", f"up.{num - 1 - i}") for i in range(num)]


def last_down(architecture: Architecture, /) -> str:
    """Place of the innermost down stage."""
    return [stage.place for stage in architecture.stages if stage.place.startswith("down")][-1]


def module_prefix(place: str, /) -> str:
    """diffusers' module name of a stage of the base model: "down_blocks.0", "mid_block", "up_blocks.3"."""
    return "mid_block" if place == "mid" else place.replace(".", "_blocks.")


def module_prefixes(architecture: Architecture, /) -> dict[str, str]:
    """diffusers' module name of every stage of an architecture, counted among the stages that it has."""
    counted: dict[str, str] = {}
    for side in ("down", "mid", "up"):
        places = [stage.place for stage in architecture.stages if stage.place.partition(".")[0] == side]
        counted |= {place: "mid_block" if side == "mid" else f"{side}_blocks.{i}" for i, place in enumerate(places)}
    return counted
