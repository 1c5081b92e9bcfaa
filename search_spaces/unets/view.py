"""A search space in plain lists and dicts: what an architecture consists of, what may change, and what it costs.

The form of `nas space show --format json`, a stable interface: keys are added, never renamed or removed.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from search_spaces.actions import Action, Sign
from search_spaces.architecture import Architecture, Position, Stage
from search_spaces.blocks import BlockKind
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS, Site
from search_spaces.unets.space import UNetSpace


def describe_space(
    space: UNetSpace,
    architecture: Architecture,
    /,
    *,
    height: int | None = None,
    width: int | None = None,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
) -> dict[str, Any]:
    """Everything about an architecture of a space, ready for JSON.

    Costs of all positions and of `other` (stem, head, embeddings and samplers) add up to the totals.

    Args:
        space: The space of the base model.
        architecture: An architecture of it.
        height: Latent height; None = the model's own.
        width: Latent width; None = the model's own.
        context_tokens: Text tokens that cross-attentions read.

    Raises:
        ArchitectureError: The architecture is not in the space.
    """
    sites = space.sites(architecture, height=height, width=width, context_tokens=context_tokens)
    sizes = _sizes(space, architecture, height=height, width=width)
    total, removals, copies = _cost(sites), space.removals(architecture), space.copies(architecture)
    return {
        "arch_id": architecture.arch_id,
        "num_cross_attentions": architecture.num_cross_attentions,
        "num_resnets": architecture.num_resnets,
        "num_removals": len(removals),
        "num_copies": len(copies),
        **total,
        "latent_height": height or space.sample_size[0],
        "latent_width": width or space.sample_size[1],
        "context_tokens": context_tokens,
        "stages": [
            {
                "place": stage.place,
                "paper_stage": space.paper_stage(stage.place),
                "channels": space.geometry(stage.place).channels,
                "height": sizes[stage.place][0],
                "width": sizes[stage.place][1],
                "num_resnets": stage.num_resnets,
                "num_cross_attentions": stage.num_cross_attentions,
                "positions": [
                    _describe_position(space, architecture, stage.place, position, sites)
                    for position in stage.positions
                ],
            }
            for stage in architecture.stages
            if stage.positions
        ],
        "other": _cost(site for site in sites if site.position < 0),
        "removals": [str(action) for action in removals],
        "copies": [str(action) for action in copies],
        "counts_by_paper_stage": counts_by_paper_stage(space, architecture),
    }


def counts_by_paper_stage(space: UNetSpace, architecture: Architecture, /) -> list[dict[str, Any]]:
    """Blocks per stage in the form of SnapFusion's Table 3; stages that are gone count 0."""
    stages = {stage.place: stage for stage in architecture.stages}
    counts: dict[str, dict[str, Any]] = {}
    for geometry in space.stages:
        name = space.paper_stage(geometry.place)
        row = counts.setdefault(name, {"paper_stage": name, "num_cross_attentions": 0, "num_resnets": 0})
        if (stage := stages.get(geometry.place)) is not None:
            row["num_cross_attentions"] += stage.num_cross_attentions
            row["num_resnets"] += stage.num_resnets
    return list(counts.values())


def paper_stages(base: Architecture, /) -> dict[str, str]:
    """SnapFusion's name of each stage of a base model, by its place: `UNetShape.paper_stage` from genes alone.

    Args:
        base: The base model's own architecture.
    """
    attends = {stage.place: stage.num_cross_attentions > 0 for stage in base.stages}
    downs = [place for place in attends if place.startswith("down")]
    of_mid = {place for place in ("mid", *downs[-1:], "up.0") if not attends.get(place, False)} | {"mid"}
    names, counts = {}, dict[str, int]()
    for place in attends:
        side = place.partition(".")[0]
        counts[side] = counts.get(side, 0) + (place not in of_mid)
        names[place] = "Mid" if place in of_mid else f"{side.capitalize()}-{counts[side]}"
    return names


def _describe_position(
    space: UNetSpace, architecture: Architecture, place: str, position: Position, sites: Iterable[Site]
) -> dict[str, Any]:
    def possible(sign: Sign, kind: BlockKind) -> dict[str, Any]:
        action = Action(sign=sign, kind=kind, stage=place, position=position.source)
        why_not = space.why_not(action, architecture=architecture)
        return {"possible": why_not is None, "why_not": why_not}

    return {
        "position": position.source,
        "resnets": position.resnets,
        "cross_attentions": position.cross_attentions,
        "resnet_removable": possible(Sign.REMOVE, BlockKind.RESNET),
        "resnet_copyable": possible(Sign.COPY, BlockKind.RESNET),
        "cross_attention_removable": possible(Sign.REMOVE, BlockKind.CROSS_ATTENTION),
        "cross_attention_copyable": possible(Sign.COPY, BlockKind.CROSS_ATTENTION),
        **_cost(site for site in sites if (site.stage, site.position) == (place, position.source)),
    }


def _cost(sites: Iterable[Site]) -> dict[str, int]:
    signatures = [site.signature for site in sites]
    return {"num_params": sum(s.num_params for s in signatures), "num_macs": sum(s.num_macs for s in signatures)}


def _sizes(
    space: UNetSpace, architecture: Architecture, *, height: int | None, width: int | None
) -> dict[str, tuple[int, int]]:
    """Latent height and width inside each stage, read off an architecture in which every position holds one ResNet."""
    whole = Architecture(
        stages=tuple(
            Stage(place=stage.place, positions=tuple(replace(p, resnets=1) for p in stage.positions))
            for stage in architecture.stages
        )
    )
    sites = space.sites(whole, height=height, width=width)
    return {site.stage: (site.signature.height, site.signature.width) for site in sites if site.position >= 0}
