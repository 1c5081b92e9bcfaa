"""Reading somebody else's stock UNet as an architecture of a base model: which of its positions were kept.

A config says how many positions a stage has, not which of the base model's they are. Channels decide most of it, since
weights must fit; among what they leave open a stage keeps its first and last positions, as BK-SDM and KOALA do.
"""

from collections.abc import Iterator
from itertools import combinations, product

from search_spaces.architecture import Architecture, ArchitectureError, Position, Stage
from search_spaces.unet_space import UNetSpace
from search_spaces.wiring import StageGeometry, mirrored


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
    if wrong := list(_misfits(stages, space)):
        raise ArchitectureError("this UNet was not cut from that base model: " + "; ".join(wrong))
    order = [geometry.place for geometry in space.stages]
    stages.sort(key=lambda each: order.index(each[0]))
    wanted = [site.signature for site in other.sites(other.base)]
    height, width = other.sample_size
    for choice in product(*(list(_kept(geometry, space.geometry(place))) for place, geometry in stages)):
        architecture = Architecture(
            stages=tuple(
                _stage(place, geometry, sources) for (place, geometry), sources in zip(stages, choice, strict=True)
            )
        )
        try:
            sites = space.sites(architecture, height=height, width=width)
        except ArchitectureError:
            continue
        if [site.signature for site in sites] == wanted:
            return architecture
    raise ArchitectureError(
        "this UNet was not cut from that base model: no choice among the base model's positions has its blocks"
    )


def _misfits(stages: list[tuple[str, StageGeometry]], space: UNetSpace) -> Iterator[str]:
    for place, theirs in stages:
        own = {geometry.place: geometry for geometry in space.stages}.get(place)
        if own is None:
            yield f"it has a stage {place}"
            continue
        for name in ("channels", "heads", "cross_attention_dim"):
            if name != "channels" and not any(theirs.depths):
                continue
            if (mine := getattr(own, name)) != (other := getattr(theirs, name)):
                yield f"`{name}` at {place} is {other}, there {mine}"
        if len(theirs.depths) > len(own.depths):
            yield f"{place} has {len(theirs.depths)} positions, there {len(own.depths)}"


def _kept(theirs: StageGeometry, own: StageGeometry) -> Iterator[tuple[int, ...]]:
    """Sources that a stage may have kept, first and last ones preferred."""
    num, last = len(theirs.depths), len(own.depths) - 1
    choices = combinations(range(last + 1), num)
    yield from sorted(choices, key=lambda chosen: (0 not in chosen, num > 1 and last not in chosen, chosen))


def _stage(place: str, geometry: StageGeometry, sources: tuple[int, ...]) -> Stage:
    positions = tuple(
        Position(resnets=1, cross_attentions=depth, source=source)
        for depth, source in zip(geometry.depths, sources, strict=True)
    )
    return Stage(place=place, positions=positions)
