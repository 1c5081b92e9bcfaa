"""From samples to what a table says: a row per signature and one for the rest, the whole model, and the checks."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

import numpy as np

from latency.blocks.tasks import Overhead, Task
from latency.pricing.row import TableRow
from latency.pricing.scenario import Check, EndToEnd, Method, Workload
from latency.pricing.table import REST, LatencyTable
from latency.timing.estimator import DIGITS, Array, Samples, corrected, rest_samples, summarised
from latency.trust.calibration import calibration_of, check_of
from search_spaces import Architecture, BlockSignature, Site, UNetSpace

LEAST_MS: Final = 10.0**-DIGITS  # a row is positive, whatever was subtracted from it


def overhead_ms(samples: Mapping[Task, Samples], /) -> float:
    """What entering the runtime takes: a block alone pays it at every call, a whole model once. 0 if unmeasured."""
    return float(np.median(corrected(samples)[Overhead.CALL])) if Overhead.CALL in samples else 0.0


def measured_rows(
    samples: Mapping[Task, Samples], /, *, space: UNetSpace, workload: Workload, modules: Mapping[Task, int]
) -> tuple[EndToEnd, tuple[TableRow, ...]]:
    """The whole base model, and a row per signature and one for the rest, in the order of its forward pass.

    Args:
        samples: Of every signature, of the base architecture, and of the empty call where there is one: what that
            takes is subtracted from every block.
        space: Whose base it is.
        workload: What was computed.
        modules: How many modules stand behind a signature, where several do.
    """
    empty_ms = overhead_ms(samples)
    values = {
        task: np.maximum(taken_ms - empty_ms, LEAST_MS) if isinstance(task, BlockSignature) else taken_ms
        for task, taken_ms in corrected(samples).items()
    }
    whole = summarised(values[space.base])
    end_to_end = EndToEnd(
        median_ms=whole.median_ms, p10_ms=whole.p10_ms, p90_ms=whole.p90_ms, num_samples=whole.num_samples
    )
    names: dict[BlockSignature, list[str]] = defaultdict(list)
    for site in _sites(space, space.base, workload):
        names[site.signature].append(site.name)
    signatures = [*names, *(key for key in samples if isinstance(key, BlockSignature) and key not in names)]
    rows = [
        TableRow(
            signature=signature,
            **asdict(summarised(values[signature])),
            source=Method.ISOLATED,
            sites=tuple(names.get(signature, ())),
            note=_note(samples[signature], num_modules=modules.get(signature, 1), empty_ms=empty_ms),
        )
        for signature in signatures
    ]
    blocks: list[Array] = [values[signature] for signature, sites in names.items() for _ in sites]
    rest_ms = whole.median_ms - sum(row.median_ms * len(row.sites) for row in rows)
    rest = summarised(rest_samples(values[space.base], blocks, rest_ms=rest_ms))
    note = "end to end minus the blocks" + ("" if rest_ms >= 0 else f", {rest_ms:.3f} ms: clamped to 0")
    rows.append(TableRow(signature=REST, **asdict(rest), source=Method.DIFFERENCE, sites=("rest",), note=note))
    return end_to_end, tuple(rows)


def _note(samples: Samples, *, num_modules: int, empty_ms: float) -> str:
    note = f"calls per round: {samples.calls}"
    if num_modules > 1:
        note += f", of {num_modules} modules in turn"
    return note + (f"; less {empty_ms:.4f} ms of an empty call" if empty_ms else "")


def measured_check(
    table: LatencyTable, samples: Mapping[Task, Samples], /, *, space: UNetSpace, subnetworks: tuple[Architecture, ...]
) -> Check:
    """Sum over end to end, and a table's predictions against measurements.

    Args:
        table: Made of the samples.
        samples: Of all its blocks, of the base architecture and of the sub-networks.
        space: Whose sub-networks they are.
        subnetworks: Random ones.
    """
    assert table.end_to_end is not None
    if not subnetworks:
        return check_of(table, table.end_to_end, None)
    values = corrected(samples)
    measured_ms = {architecture: float(np.median(values[architecture])) for architecture in (space.base, *subnetworks)}
    return check_of(table, table.end_to_end, calibration_of(table, measured_ms, space=space))


def _sites(space: UNetSpace, architecture: Architecture, workload: Workload) -> tuple[Site, ...]:
    return space.sites(
        architecture,
        height=workload.latent_height,
        width=workload.latent_width,
        context_tokens=workload.context_tokens,
    )
