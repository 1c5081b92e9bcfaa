"""Measuring a UNet's latency table: every block of its space alone, the whole model, and random sub-networks.

All of them are tasks of one interleaved run, so that sums, whole and predictions are comparable to a few per cent.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TypeAlias

import numpy as np

from latency.blocks import Inputs, isolated_blocks, whole_model
from latency.estimator import (
    Array,
    Samples,
    corrected,
    kendall_tau,
    mean_absolute_percentage_error,
    rest_samples,
    summarised,
)
from latency.interleaving import MeasureSettings, RoundReport, interleave
from latency.scenario import Check, Device, EndToEnd, Method, Protocol, Workload
from latency.source import Backend
from latency.table import REST, LatencyTable, TableRow, cross_attention_dim
from search_spaces import Architecture, BlockSignature, Site, UNetSpace
from search_spaces.supernet import Supernet

Task: TypeAlias = BlockSignature | Architecture
OnRound: TypeAlias = Callable[[RoundReport[Task]], None]
# Chances that make sub-networks from nearly whole to nearly empty, some with copies.
REMOVAL_SHARES = (0.1, 0.6)
COPY_SHARE = 0.1


def measure_table(
    supernet: Supernet,
    /,
    *,
    backend: Backend,
    base_model: str,
    device_name: str,
    soc: str = "",
    os: str = "",
    batch: int = 1,
    height: int = 0,
    width: int = 0,
    context_tokens: int = 77,
    num_subnetworks: int = 0,
    settings: MeasureSettings | None = None,
    on_round: OnRound | None = None,
) -> LatencyTable:
    """Measure the table of a supernet's whole space.

    Args:
        supernet: The supernet; its architecture is the same afterwards.
        backend: Runtime and device that run the modules.
        base_model: Name of the model, for the record.
        device_name: Name of the machine, for the record.
        soc: Its processor, for the record.
        os: Its operating system, for the record.
        batch: Samples per forward pass.
        height: Latent height; 0 = the model's own.
        width: Latent width; 0 = the model's own.
        context_tokens: Text tokens that cross-attentions read.
        num_subnetworks: Random sub-networks to measure against their predictions.
        settings: The protocol's numbers.
        on_round: Told after every round how sure the numbers are.
    """
    settings = settings or MeasureSettings()
    space = supernet.space
    height, width = height or space.sample_size[0], width or space.sample_size[1]
    workload = Workload(
        base_model=base_model,
        latent_height=height,
        latent_width=width,
        batch=batch,
        dtype=str(supernet.unet.dtype).removeprefix("torch."),
        context_tokens=context_tokens,
        cross_attention_dim=cross_attention_dim(space),
        temb_channels=space.temb_channels,
        attention_impl=", ".join(sorted({type(p).__name__ for p in supernet.unet.attn_processors.values()})),
    )
    subnetworks = random_architectures(space, num=num_subnetworks, seed=settings.seed)
    inputs = Inputs(supernet.unet, batch=batch, context_tokens=context_tokens, seed=settings.seed)
    with backend.session():
        blocks = isolated_blocks(supernet, inputs, height=height, width=width)
        tasks: dict[Task, Callable[[], object]] = {key: backend.prepare(call) for key, call in blocks.items()}
        for architecture in (space.base, *subnetworks):
            with supernet.switched(architecture) as unet:
                model = whole_model(unet, inputs, space=space, height=height, width=width)
            tasks[architecture] = backend.prepare(model)
        samples = interleave(
            tasks,
            reference=backend.reference(),
            clock=backend.clock,
            settings=settings,
            on_round=on_round,
        )
    end_to_end, rows = _rows(samples, space=space, workload=workload)
    table = LatencyTable(
        device=Device(name=device_name, soc=soc, compute_unit=backend.compute_unit, os=os),
        runtime=backend.runtime,
        workload=workload,
        protocol=Protocol(
            method=Method.ISOLATED,
            clock=backend.clock.name,
            order="interleaved: every round visits every block and the whole model in random order",
            rounds=end_to_end.num_samples,
            warm_ups=settings.warm_ups,
            reference=backend.reference_name,
            estimator="median(sample / reference around it) x median(reference)",
        ),
        end_to_end=end_to_end,
        check=None,
        rows=rows,
    )
    return replace(table, check=_check(table, samples, space=space, subnetworks=subnetworks))


def random_architectures(space: UNetSpace, /, *, num: int, seed: int) -> tuple[Architecture, ...]:
    """Different random architectures of a space, none of them its base.

    Raises:
        ValueError: The space is too small to find that many.
    """
    rng = random.Random(seed)
    found: dict[Architecture, None] = {}
    for _ in range(20 * num):
        if len(found) == num:
            break
        architecture, share = space.base, rng.uniform(*REMOVAL_SHARES)
        for possible, chance in ((space.removals, share), (space.copies, COPY_SHARE)):
            for action in possible(architecture):
                if rng.random() < chance:
                    architecture = action.apply(architecture)
        if architecture != space.base:
            found[architecture] = None
    if len(found) < num:
        raise ValueError(
            f"the space must hold {num} random sub-networks, but only {len(found)} were found; ask for fewer"
        )
    return tuple(found)


def _rows(
    samples: Mapping[Task, Samples], *, space: UNetSpace, workload: Workload
) -> tuple[EndToEnd, tuple[TableRow, ...]]:
    """The whole model, and a row per signature and one for the rest, in the order of the base model's forward pass."""
    values = corrected(samples)
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
            note=f"calls per round: {samples[signature].calls}",
        )
        for signature in signatures
    ]
    blocks: list[Array] = [values[signature] for signature, sites in names.items() for _ in sites]
    rest_ms = whole.median_ms - sum(row.median_ms * len(row.sites) for row in rows)
    rest = summarised(rest_samples(values[space.base], blocks, rest_ms=rest_ms))
    note = "end to end minus the blocks" + ("" if rest_ms >= 0 else f", {rest_ms:.3f} ms: clamped to 0")
    rows.append(TableRow(signature=REST, **asdict(rest), source=Method.DIFFERENCE, sites=("rest",), note=note))
    return end_to_end, tuple(rows)


def _check(
    table: LatencyTable, samples: Mapping[Task, Samples], *, space: UNetSpace, subnetworks: tuple[Architecture, ...]
) -> Check:
    """Sum over end to end, and predictions against measurements."""
    assert table.end_to_end is not None
    ratio = table.base_ms / table.end_to_end.median_ms
    if not subnetworks:
        return Check(sum_over_end_to_end=ratio)
    values = corrected(samples)
    measured = np.asarray([np.median(values[architecture]) for architecture in subnetworks])
    predicted = np.asarray(
        [table.predict(_sites(space, architecture, table.workload)).total_ms for architecture in subnetworks]
    )
    return Check(
        sum_over_end_to_end=ratio,
        subnetwork_mape=mean_absolute_percentage_error(predicted, measured),
        kendall_tau=kendall_tau(predicted, measured) if len(subnetworks) > 1 else None,
        num_subnetworks=len(subnetworks),
    )


def _sites(space: UNetSpace, architecture: Architecture, workload: Workload) -> tuple[Site, ...]:
    return space.sites(
        architecture,
        height=workload.latent_height,
        width=workload.latent_width,
        context_tokens=workload.context_tokens,
    )
