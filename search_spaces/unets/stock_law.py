"""What an unmodified `UNet2DConditionModel` can be: the law of the *stock* space, and the nearest stock architecture.

diffusers' config ties blocks together: a position has exactly one ResNet, a stage attends everywhere or nowhere, an up
stage has one position more than the down stage it mirrors, and the mid block is one of three.
"""

from dataclasses import replace

from search_spaces.architecture import Architecture, Stage
from search_spaces.unets.space import UNetSpace


def stock_reasons(architecture: Architecture, /, *, space: UNetSpace) -> tuple[str, ...]:
    """Why no stock config builds an architecture; empty when one does.

    Args:
        architecture: An architecture of `space`.
        space: The space of the base model.
    """
    reasons = []
    for place, p in architecture.positions():
        if p.resnets != 1:
            what = "a skipped ResNet" if p.resnets == 0 else f"{p.resnets - 1} ResNet copies"
            reasons.append(f"{place}[{p.source}] has {what}: a stock position has exactly one ResNet")
    for stage in architecture.stages:
        if stage.place != "mid" and 0 in depths_of(stage) and any(depths_of(stage)):
            reasons.append(f"{stage.place} has cross-attention at some positions only {depths_of(stage)}")
    return (*reasons, *_mid_reasons(architecture, space))


def _mid_reasons(architecture: Architecture, space: UNetSpace) -> list[str]:
    if (mid := mid_stage(architecture)) is None:
        return []
    if mid_type(mid) is None:
        return [f"mid holds cross-attention depths {depths_of(mid)}: stock mid blocks are (n, 0), (0,) or none"]
    innermost = innermost_down(architecture)
    own, beside = space.geometry("mid"), space.geometry(innermost.place)
    shared = ("channels", "heads", "cross_attention_dim")
    if differing := [name for name in shared if getattr(own, name) != getattr(beside, name)]:
        return [f"mid shares its config entries with {innermost.place}, but differs in {', '.join(differing)}"]
    if depths_of(mid)[0] and any(depths_of(innermost)) and depths_of(innermost)[0] != depths_of(mid)[0]:
        return [
            f"mid has depth {depths_of(mid)[0]} but shares its config entry with the innermost stage's "
            f"{list(depths_of(innermost))}"
        ]
    return []


def stock_hull(architecture: Architecture, /, *, space: UNetSpace) -> Architecture:
    """The architecture with the fewest blocks added that a stock config may build; `stock_reasons` says if it does.

    What is added can be neutral (zeroed output projections), so that the hull computes what the architecture does.
    Copies of ResNets, which no stock config has, stay.
    """
    stages = []
    for stage in architecture.stages:
        attends = any(depths_of(stage))
        positions = tuple(
            replace(
                p,
                resnets=max(1, p.resnets),
                cross_attentions=max(1, p.cross_attentions) if attends and stage.place != "mid" else p.cross_attentions,
            )
            for p in stage.positions
        )
        if stage.place == "mid" and len(positions) == 2 and not any(depths_of(stage)):
            positions = (replace(positions[0], cross_attentions=1), positions[1])
        stages.append(replace(stage, positions=positions))
    hull = Architecture(stages=tuple(stages))
    mid, innermost = mid_stage(hull), innermost_down(hull)
    if mid is not None and depths_of(mid)[0] and any(depths_of(innermost)):
        deepest = max(depths_of(mid)[0], depths_of(innermost)[0])
        for place, position in ((innermost.place, innermost.positions[0]), ("mid", mid.positions[0])):
            hull = hull.with_position(place, replace(position, cross_attentions=deepest))
    return hull


def depths_of(stage: Stage, /) -> tuple[int, ...]:
    """Depths of a stage's cross-attentions."""
    return tuple(position.cross_attentions for position in stage.positions)


def mid_stage(architecture: Architecture, /) -> Stage | None:
    """The mid stage; None where it is gone."""
    return next((stage for stage in architecture.stages if stage.place == "mid" and stage.positions), None)


def innermost_down(architecture: Architecture, /) -> Stage:
    """The innermost down stage."""
    return [stage for stage in architecture.stages if stage.place.startswith("down")][-1]


def mid_type(mid: Stage, /) -> str | None:
    """diffusers' class of a mid stage; None where it has none like it."""
    own = depths_of(mid)
    if own == (0,):
        return "UNetMidBlock2D"
    return "UNetMidBlock2DCrossAttn" if len(own) == 2 and own[0] > 0 and own[1] == 0 else None
