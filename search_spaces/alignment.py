"""Reading somebody else's stock UNet as an architecture of a base model: which of its positions were kept.

A config says how many positions a stage has, not which of the base model's they are. Channels decide most of it, since
weights must fit; among what they leave open a stage keeps its first and last positions, as BK-SDM and KOALA do.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from search_spaces.architecture import Architecture, ArchitectureError, Position, Stage
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.wiring import StageGeometry, mirrored, own_in_channels

WHOLE: Final = (
    "in_channels",
    "out_channels",
    "temb_channels",
    "conditioning_channels",
    "resnet_variant",
    "attention_variant",
)  # what must be the same whatever was cut


def aligned(other: UNetSpace, /, *, space: UNetSpace) -> Architecture:
    """The base architecture of another space, in the space of the model that it was cut from.

    Args:
        other: Space of the smaller model.
        space: Space of the model that it may come from.

    Raises:
        ArchitectureError: It was not cut from that model; the message says where they part.
    """
    theirs = {geometry.place: geometry for geometry in other.stages}
    down_pairs, own_pairs = mirrored(other.stages), mirrored(space.stages)
    if len(down_pairs) > len(own_pairs):
        raise ArchitectureError(
            f"a model cut from another has at most its {len(own_pairs)} down stages, but this one has {len(down_pairs)}"
        )
    stages: list[tuple[str, StageGeometry]] = [("mid", theirs["mid"])] if "mid" in theirs else []
    for (their_down, their_up), (down, up) in zip(down_pairs, own_pairs, strict=False):
        stages += [(down, theirs[their_down]), (up, theirs[their_up])]
    if wrong := list(_misfits(stages, other, space)):
        raise ArchitectureError("this UNet was not cut from that base model: " + "; ".join(wrong))
    order = [geometry.place for geometry in space.stages]
    architecture = Architecture(
        stages=tuple(
            _stage(place, geometry, next(_kept(place, geometry, other=other, space=space)))
            for place, geometry in sorted(stages, key=lambda stage: order.index(stage[0]))
        )
    )
    space.check(architecture)
    return architecture


def _misfits(stages: list[tuple[str, StageGeometry]], other: UNetSpace, space: UNetSpace) -> Iterator[str]:
    """Where the two part, whichever positions were kept."""
    for name in WHOLE:
        if (mine := getattr(space, name)) != (theirs := getattr(other, name)):
            yield f"its `{name}` is {theirs!r}, there {mine!r}"
    own_geometry = {geometry.place: geometry for geometry in space.stages}
    for place, geometry in stages:
        if (own := own_geometry.get(place)) is None:
            yield f"it has a stage {place}"
            continue
        for name in ("channels", "heads", "cross_attention_dim") if any(geometry.depths) else ("channels",):
            if (mine := getattr(own, name)) != (theirs := getattr(geometry, name)):
                yield f"`{name}` at {place} is {theirs}, there {mine}"
        if len(geometry.depths) > len(own.depths):
            yield f"{place} has {len(geometry.depths)} positions, there {len(own.depths)}"
        elif next(_kept(place, geometry, other=other, space=space), None) is None:
            yield f"no {len(geometry.depths)} positions of {place} take its channels"


def _kept(place: str, theirs: StageGeometry, *, other: UNetSpace, space: UNetSpace) -> Iterator[tuple[int, ...]]:
    """Sources that a stage may have kept, whose weights take what its ResNets see; first and last ones preferred."""
    num, last = len(theirs.depths), len(space.geometry(place).depths) - 1
    own_in, their_in = own_in_channels(space.stages), own_in_channels(other.stages)
    choices = sorted(
        combinations(range(last + 1), num),
        key=lambda chosen: (0 not in chosen, num > 1 and last not in chosen, chosen),
    )
    for chosen in choices:
        if all(own_in[place, s] == their_in[theirs.place, i] for i, s in enumerate(chosen)):
            yield chosen


def _stage(place: str, geometry: StageGeometry, sources: tuple[int, ...]) -> Stage:
    positions = tuple(
        Position(resnets=1, cross_attentions=depth, source=source)
        for depth, source in zip(geometry.depths, sources, strict=True)
    )
    return Stage(place=place, positions=positions)
