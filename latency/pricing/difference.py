"""What tells two architectures apart, in plain values: genes, parameters, MACs and milliseconds that add up."""

from collections.abc import Iterable
from typing import Any

from latency.pricing.table import LatencyTable
from search_spaces.architecture import Architecture, Position
from search_spaces.difference import actions_between, changed_positions
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS, Site
from search_spaces.unets.space import UNetSpace


def architecture_diff(
    before: Architecture,
    after: Architecture,
    /,
    *,
    space: UNetSpace,
    table: LatencyTable | None = None,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
) -> dict[str, Any]:
    """The differences of two architectures of one space, ready for JSON.

    `positions` and `other` (samplers that go with their stages, and the like) sum to `together`, which is `after`
    minus `before`.

    Args:
        before: An architecture of the space.
        after: Another one.
        space: The space of their base model.
        table: Adds milliseconds; everything is then at its own latent size and number of text tokens.
        context_tokens: Text tokens that the model reads, where no table says it.

    Raises:
        ArchitectureError: An architecture is not in the space.
        MissingRowsError: The table does not price them.
    """
    height, width = space.sample_size
    sizes = {"height": height, "width": width, "context_tokens": context_tokens}
    sizes |= table.workload.sizes if table is not None else {}
    old, new = (space.sites(architecture, **sizes) for architecture in (before, after))
    changes = changed_positions(before, after, space=space)
    moved = {(change.place, change.source) for change in changes}

    def cost(sites: Iterable[Site]) -> dict[str, Any]:
        signatures = [site.signature for site in sites]
        return {
            "num_params": sum(s.num_params for s in signatures),
            "num_macs": sum(s.num_macs for s in signatures),
            "ms": None if table is None else sum(table.milliseconds(s) for s in signatures),
        }

    def difference(keys: set[tuple[str, int]], *, inside: bool) -> dict[str, Any]:
        first, second = (
            cost(site for site in sites if ((site.stage, site.position) in keys) == inside) for sites in (old, new)
        )
        return {key: None if first[key] is None else second[key] - first[key] for key in first}

    totals = [
        {
            "arch_id": architecture.arch_id,
            "num_resnets": architecture.num_resnets,
            "num_cross_attentions": architecture.num_cross_attentions,
            **cost(sites),
        }
        | ({} if table is None else {"ms": table.predict(sites).total_ms})
        for architecture, sites in ((before, old), (after, new))
    ]
    return {
        "before": totals[0],
        "after": totals[1],
        "positions": [
            {
                "place": change.place,
                "paper_stage": space.paper_stage(change.place),
                "position": change.source,
                "before": _genes(change.before),
                "after": _genes(change.after),
                **difference({(change.place, change.source)}, inside=True),
            }
            for change in changes
        ],
        "other": difference(moved, inside=False),
        "together": {
            key: None if totals[0][key] is None else totals[1][key] - totals[0][key]
            for key in ("num_params", "num_macs", "ms")
        },
        "latent_height": sizes["height"],
        "latent_width": sizes["width"],
        "context_tokens": sizes["context_tokens"],
        "actions": [str(action) for action in actions_between(before, after, space=space)],
    }


def _genes(position: Position | None) -> dict[str, int] | None:
    if position is None:
        return None
    return {"resnets": position.resnets, "cross_attentions": position.cross_attentions}
