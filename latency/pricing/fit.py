"""Whether a latency table fits a search: measured for its workload, a row for every block that it may ask for. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from latency.pricing.scenario import LatencyTableError
from latency.pricing.table import LatencyTable, MissingRowsError
from search_spaces import UNetSpace


class WorkloadMismatchError(LatencyTableError):
    """A table that was measured for another workload."""


def check_workload(
    table: LatencyTable,
    /,
    *,
    space: UNetSpace,
    height: int | None = None,
    width: int | None = None,
    context_tokens: int,
) -> None:
    """Check that a table was measured for what a search is going to run.

    Args:
        table: The table.
        space: The space that is searched.
        height: Latent height; None = the model's own.
        width: Latent width; None = the model's own.
        context_tokens: Text tokens that cross-attentions read.

    Raises:
        WorkloadMismatchError: It was not; the message lists every difference.
    """
    workload = table.workload
    wanted = {
        "latent_height": height or space.sample_size[0],
        "latent_width": width or space.sample_size[1],
        "context_tokens": context_tokens,
        "cross_attention_dim": cross_attention_dim(space),
        "temb_channels": space.temb_channels,
    }
    wrong = [
        f"`{name}` must be {value}, but the table has {getattr(workload, name)}"
        for name, value in wanted.items()
        if getattr(workload, name) != value
    ]
    if wrong:
        raise WorkloadMismatchError(
            f"the latency table of {workload.base_model} on {table.device.name} is for another workload: "
            + "; ".join(wrong)
            + "; latencies are never rescaled: measure this workload with `nas latency measure MODEL --out FILE.json`"
        )


def check_coverage(table: LatencyTable, /, *, space: UNetSpace, sizes: Mapping[str, int]) -> None:
    """Check that a table prices every block that a search over a space can ask for.

    Args:
        table: The table.
        space: The space, with the copies that the search may make.
        sizes: Latent size and text tokens, as `UNetSpace.reachable_signatures` takes them.

    Raises:
        MissingRowsError: It does not; the message lists what is missing, and says how many copies it does cover.
    """
    try:
        table.require(space.reachable_signatures(**sizes))
    except MissingRowsError as error:
        for num in range(space.max_copies - 1, -1, -1):
            if not table.missing(replace(space, max_copies=num).reachable_signatures(**sizes)):
                raise MissingRowsError(
                    f"{error}\nor search with `max_copies_per_block` of at most {num} instead of {space.max_copies}, "
                    "which this table covers",
                    missing=error.missing,
                ) from error
        raise


def cross_attention_dim(space: UNetSpace, /) -> int:
    """Width of a text token, the widest where stages differ; 0 without cross-attentions."""
    return max((stage.cross_attention_dim for stage in space.stages if any(stage.depths)), default=0)
