"""Calibrating on this machine: whole models of a table's scenario, measured by the protocol that makes tables.

The base model and random sub-networks are tasks of one interleaved run, with the reference kernel around them. Runtimes
that hold weights of their own for every model may not have the memory for all: then one group follows the other, and
the reference kernel makes their times comparable.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, TypeAlias

import numpy as np

from latency.backends.host import available_bytes
from latency.estimator import Samples, corrected
from latency.interleaving import MeasureSettings, RoundReport, interleave
from latency.scenario import LatencyTableError, Workload
from latency.source import Backend
from latency.subnetworks import random_architectures
from latency.table import LatencyTable
from latency.tasks import OnPrepare, Task, num_weights, task_calls, workload_of
from search_spaces import Architecture
from search_spaces.supernet import Supernet

OnRound: TypeAlias = Callable[[RoundReport[Task]], None]


def measure_models(
    supernet: Supernet,
    table: LatencyTable,
    /,
    *,
    backend: Backend,
    num_subnetworks: int,
    settings: MeasureSettings,
    on_prepare: OnPrepare | None = None,
    on_round: OnRound | None = None,
) -> dict[Architecture, float]:
    """Milliseconds of the base model and of random sub-networks, for `latency.calibration.calibration_of`.

    Args:
        supernet: The supernet of the table's model, with its dtype and attention; its architecture is the same
            afterwards.
        table: The table to be calibrated.
        backend: Its runtime.
        num_subnetworks: How many sub-networks.
        settings: The protocol's numbers; the seed chooses the sub-networks too.
        on_prepare: Told before a model is prepared.
        on_round: Told after every round how sure the numbers are.

    Raises:
        LatencyTableError: Supernet or backend are not what the table was made with: all differences.
        MissingRowsError: The table does not price every sub-network of the supernet's space.
        ValueError: The space holds too few sub-networks, or the memory is too small for one of them.
    """
    _check_scenario(supernet, table, backend)
    space, workload = supernet.space, table.workload
    table.require(space.reachable_signatures(**workload.sizes))
    models = (space.base, *random_architectures(space, num=num_subnetworks, seed=settings.seed))
    samples: dict[Task, Samples] = {}
    for group in _groups(models, supernet=supernet, backend=backend):
        with backend.session():
            calls = task_calls(group, supernet, workload=workload, seed=settings.seed, on_prepare=on_prepare)
            samples |= interleave(
                {task: backend.prepare(call) for task, call in calls},
                reference=backend.reference(),
                clock=backend.clock,
                settings=settings,
                on_round=on_round,
            )
    values = corrected(samples)
    return {model: float(np.median(values[model])) for model in models}


def _groups(
    models: Iterable[Architecture], /, *, supernet: Supernet, backend: Backend
) -> tuple[tuple[Architecture, ...], ...]:
    """Models that can be held at the same time."""
    available = available_bytes()
    limit = math.inf if available is None or not backend.copies_weights else available
    groups: list[list[Architecture]] = [[]]
    held = 0
    for model in models:
        needed = num_weights((model,), space=supernet.space) * supernet.unet.dtype.itemsize
        if needed > limit:
            raise ValueError(
                f"{backend.runtime.name} must hold the weights of a whole model, {needed / 2**30:.1f} GiB, but "
                f"{limit / 2**30:.1f} GiB of memory are free"
            )
        if held + needed > limit:
            groups.append([])
            held = 0
        groups[-1].append(model)
        held += needed
    return tuple(tuple(group) for group in groups)


def _check_scenario(supernet: Supernet, table: LatencyTable, backend: Backend) -> None:
    """A table is calibrated with what it was made with."""
    theirs, runtime = table.workload, backend.runtime
    ours = workload_of(
        supernet,
        base_model=theirs.base_model,
        batch=theirs.batch,
        height=theirs.latent_height,
        width=theirs.latent_width,
        context_tokens=theirs.context_tokens,
    )
    ours = replace(ours, cfg_in_batch=theirs.cfg_in_batch)  # no difference to a UNet
    pairs: dict[str, tuple[Any, Any]] = {
        f"workload.{f.name}": (getattr(theirs, f.name), getattr(ours, f.name)) for f in fields(Workload)
    }
    pairs["runtime.name"] = (table.runtime.name, runtime.name)
    options = dict(table.runtime.options)
    pairs |= {f"runtime.options.{name}": (options.get(name, value), value) for name, value in runtime.options}
    if wrong := [
        f"`{name}` must be {mine!r}, but is {other!r}" for name, (mine, other) in pairs.items() if mine != other
    ]:
        raise LatencyTableError(
            f"the table of {theirs.base_model} on {table.device.name} is calibrated with what it was made with: "
            + "; ".join(wrong)
        )
