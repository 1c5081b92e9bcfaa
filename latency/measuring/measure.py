"""Measuring a UNet's latency table: every block of its space alone, the whole model, and random sub-networks.

All of them are tasks of one interleaved run, so that sums, whole and predictions are comparable to a few per cent.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeAlias

from latency.backends.backend import Backend
from latency.backends.host import available_bytes
from latency.blocks.modules import with_twins
from latency.blocks.subnetworks import random_architectures
from latency.blocks.tasks import (
    OnPrepare,
    Overhead,
    Task,
    measured_tasks,
    num_modules,
    num_weights,
    task_calls,
    workload_of,
)
from latency.measuring.sample_log import SampleLog
from latency.measuring.tabulation import measured_check, measured_rows, overhead_ms
from latency.pricing.scenario import Device, Method, Protocol, Workload
from latency.pricing.table import LatencyTable
from latency.timing.estimator import Samples
from latency.timing.interleaving import MeasureSettings, RoundReport, interleave, standing
from search_spaces import Architecture, UNetSpace
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS

OnRound: TypeAlias = Callable[[RoundReport[Task]], None]
LENGTH_SETTINGS = ("min_rounds", "max_rounds", "target_cv")  # may change when a measurement goes on


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
    height: int | None = None,
    width: int | None = None,
    context_tokens: int = DEFAULT_CONTEXT_TOKENS,
    num_subnetworks: int = 0,
    settings: MeasureSettings | None = None,
    samples_file: Path | None = None,
    on_prepare: OnPrepare | None = None,
    on_round: OnRound | None = None,
) -> LatencyTable:
    """Measure the table of a supernet's whole space.

    Args:
        supernet: The supernet, on the backend's torch device; its architecture is the same afterwards.
        backend: Runtime and device that run the modules.
        base_model: Name of the model, for the record.
        device_name: Name of the machine, for the record.
        soc: Its processor, for the record.
        os: Its operating system, for the record.
        batch: Samples per forward pass.
        height: Latent height; None = the model's own.
        width: Latent width; None = the model's own.
        context_tokens: Text tokens that cross-attentions read.
        num_subnetworks: Random sub-networks to measure against their predictions.
        settings: The protocol's numbers.
        samples_file: Where every finished round is kept; rounds that it holds are not measured again.
        on_prepare: Told before a block or model is prepared.
        on_round: Told after every round how sure the numbers are.

    Raises:
        SampleLogError: `samples_file` holds the samples of another measurement.
        ValueError: The backend holds weights of its own for every task, and the memory is too small for all of them.
    """
    settings = settings or MeasureSettings()
    workload = workload_of(
        supernet, base_model=base_model, batch=batch, height=height, width=width, context_tokens=context_tokens
    )
    device = Device(name=device_name, soc=soc, compute_unit=backend.compute_unit, os=os)
    subnetworks = random_architectures(supernet.space, num=num_subnetworks, seed=settings.seed)
    overheads = (Overhead.CALL,) if backend.enters_runtime else ()
    tasks = (*measured_tasks(supernet.space, subnetworks, workload=workload), *overheads)
    bytes_per_weight = supernet.unet.dtype.itemsize
    modules = num_modules(supernet.space, workload=workload, bytes_per_weight=bytes_per_weight)
    log = samples_file and SampleLog(
        samples_file,
        scenario=measurement_scenario(workload, device=device, backend=backend, settings=settings),
        labels={task: _label(task) for task in tasks},
    )
    samples: Mapping[Task, Samples] = log.read() if log else {}

    def after_round(report: RoundReport[Task]) -> None:
        if log:
            log.append(report.samples)
        if on_round is not None:
            on_round(report)

    if not (samples and standing(samples, settings=settings).is_last):
        _check_memory(tasks, space=supernet.space, backend=backend, bytes_per_weight=bytes_per_weight)
        with backend.session():
            calls = task_calls(tasks, supernet, workload=workload, seed=settings.seed, on_prepare=on_prepare)
            samples = interleave(
                {
                    task: _in_turn([backend.prepare(twin) for twin in with_twins(call, num=modules.get(task, 1))])
                    for task, call in calls
                },
                reference=backend.reference(),
                clock=backend.clock,
                settings=settings,
                repeats=modules,
                earlier=samples,
                on_round=after_round,
            )
    end_to_end, rows = measured_rows(samples, space=supernet.space, workload=workload, modules=modules)
    order = "interleaved: every round visits every block and the whole model in random order"
    empty_ms = overhead_ms(samples)
    table = LatencyTable(
        device=device,
        runtime=backend.runtime,
        workload=workload,
        protocol=Protocol(
            method=Method.ISOLATED,
            clock=backend.clock.name,
            order=f"{order}; {log.num_starts} process starts" if log and log.num_starts > 1 else order,
            rounds=end_to_end.num_samples,
            warm_ups=settings.warm_ups,
            reference=backend.reference_name,
            estimator="median(sample / reference around it) x median(reference)"
            + (f"; blocks less the {empty_ms:.4f} ms of an empty call" if empty_ms else ""),
        ),
        end_to_end=end_to_end,
        check=None,
        rows=rows,
    )
    return replace(table, check=measured_check(table, samples, space=supernet.space, subnetworks=subnetworks))


def _in_turn(runs: Sequence[Callable[[], object]]) -> Callable[[], object]:
    """Every call runs the next."""
    if len(runs) == 1:
        return runs[0]
    around = itertools.cycle(runs)
    return lambda: next(around)()


def _check_memory(tasks: tuple[Task, ...], *, space: UNetSpace, backend: Backend, bytes_per_weight: int) -> None:
    """Refuse what would be killed after an hour of exporting."""
    available = available_bytes()
    if not backend.copies_weights or available is None:
        return
    if (needed := num_weights(tasks, space=space) * bytes_per_weight) > available:
        raise UserError(
            f"{backend.runtime.name} must hold the weights of every block and model at once, "
            f"{needed / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB of memory are free; "
            "measure fewer sub-networks (`--subnetworks`) or copies (`--max-copies`)"
        )


def measurement_scenario(
    workload: Workload, /, *, device: Device, backend: Backend, settings: MeasureSettings
) -> dict[str, Any]:
    """What must not change when a measurement goes on."""
    protocol = {name: value for name, value in asdict(settings).items() if name not in LENGTH_SETTINGS}
    return {
        "workload": asdict(workload),
        "device": asdict(device),
        "runtime": asdict(backend.runtime) | {"options": dict(backend.runtime.options)},
        "protocol": protocol | {"clock": backend.clock.name, "reference": backend.reference_name},
    }


def _label(task: Task) -> str:
    """A text that tells a task from all others."""
    match task:
        case Architecture():
            return task.arch_id
        case Overhead():
            return str(task)
    return " ".join(f"{name}={value}" for name, value in asdict(task).items() if value)
