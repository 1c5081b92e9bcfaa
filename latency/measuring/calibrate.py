"""Calibrating on this machine: whole models of a table's scenario, measured by the protocol that makes tables.

One sub-network at a time beside the base model: the two are tasks of one interleaved run with the reference kernel
around them. So no more than two whole models are held, each sub-network is compared with a base model that saw the same
moods of the machine, and what is finished stays finished when the process is killed.
"""

import gc
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from latency.backends.backend import Backend
from latency.backends.host import available_bytes
from latency.blocks.modules import ModuleCall
from latency.blocks.subnetworks import random_architectures
from latency.blocks.tasks import OnPrepare, PrepareReport, Task, num_weights, task_calls, workload_of
from latency.measuring.calibration_log import CalibrationLog, PairedSamples
from latency.measuring.measure import measurement_scenario
from latency.pricing.scenario import LatencyTableError, Workload
from latency.pricing.table import LatencyTable
from latency.timing.interleaving import MeasureSettings, RoundReport, interleave
from search_spaces import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet

OnRound: TypeAlias = Callable[[RoundReport[Task]], None]
# `MeasureSettings.min_sample_ms` for whole models: medians of ten single calls of 5 to 20 ms differed by 3 to 5 %.
WHOLE_SAMPLE_MS: Final = 200.0


def measure_models(
    supernet: Supernet,
    table: LatencyTable,
    /,
    *,
    backend: Backend,
    num_subnetworks: int,
    settings: MeasureSettings,
    log_file: Path | None = None,
    on_prepare: OnPrepare | None = None,
    on_round: OnRound | None = None,
) -> dict[Architecture, float]:
    """Milliseconds of the base model and of random sub-networks, for `latency.trust.calibration.calibration_of`.

    Args:
        supernet: The supernet of the table's model, with its dtype and attention; its architecture is the same
            afterwards.
        table: The table to be calibrated.
        backend: Its runtime.
        num_subnetworks: How many sub-networks.
        settings: The protocol's numbers; the seed chooses the sub-networks too.
        log_file: Where every finished sub-network is kept; those that it holds, in at least `settings.min_rounds`, are
            not measured again.
        on_prepare: Told before a model is prepared.
        on_round: Told after every round how sure the numbers are; rounds are counted over all sub-networks.

    Raises:
        LatencyTableError: Supernet or backend are not what the table was made with: all differences.
        MissingRowsError: The table does not price every sub-network of the supernet's space.
        SampleLogError: `log_file` holds another scenario's models.
        ValueError: The space holds too few sub-networks, or the memory is too small for one beside the base model.
    """
    _check_scenario(supernet, table, backend)
    space, workload = supernet.space, table.workload
    table.require(space.reachable_signatures(**workload.sizes))
    subnetworks = random_architectures(space, num=num_subnetworks, seed=settings.seed)
    any_seed = replace(settings, seed=0)  # chooses sub-networks and orders: samples of several seeds go together
    log = log_file and CalibrationLog(
        log_file, scenario=measurement_scenario(workload, device=table.device, backend=backend, settings=any_seed)
    )
    pairs = {
        arch_id: pair for arch_id, pair in (log.read() if log else {}).items() if pair.num_rounds >= settings.min_rounds
    }
    pending = [subnetwork for subnetwork in subnetworks if subnetwork.arch_id not in pairs]
    if pending:
        check_memory(pending, supernet=supernet, backend=backend)
        with backend.session():
            base = _whole(space.base, supernet, workload, settings=settings)
            _announce(on_prepare, space.base, number=1, total=1 + num_subnetworks)
            run_base, reference = backend.prepare(base), backend.reference()
            for number, subnetwork in enumerate(pending, start=1 + num_subnetworks - len(pending)):
                _announce(on_prepare, subnetwork, number=1 + number, total=1 + num_subnetworks)
                call = _whole(subnetwork, supernet, workload, settings=settings)
                pair: dict[Task, Callable[[], object]] = {space.base: run_base, subnetwork: backend.prepare(call)}
                samples = interleave(
                    pair,
                    reference=reference,
                    clock=backend.clock,
                    settings=settings,
                    on_round=on_round and _counted_over_all(on_round, number=number, total=num_subnetworks),
                )
                del pair
                backend.discard(call)
                gc.collect()  # what preparing left in cycles is as large as the model
                measured = PairedSamples(
                    arch_id=subnetwork.arch_id, subnetwork=samples[subnetwork], base=samples[space.base]
                )
                pairs[subnetwork.arch_id] = measured
                if log:
                    log.append(measured)
            del run_base
            backend.discard(base)
    return measured_ms(space.base, {subnetwork: pairs[subnetwork.arch_id] for subnetwork in subnetworks})


def measured_ms(base: Architecture, pairs: Mapping[Architecture, PairedSamples], /) -> dict[Architecture, float]:
    """Milliseconds of the base model and of every sub-network, as a machine of steady speed would have given them.

    The base model's are those of all its rounds; a sub-network's are its share of the base model in the same rounds,
    times these: whole models wait for memory, which the reference kernel hardly does (SD-1.5 at 16x16: shares of the
    base model from halves of the rounds differed by 1.0 and 1.8 %, by way of the reference kernel by 2.6 and 3.2 %).

    Args:
        base: The base model's architecture.
        pairs: Every sub-network with the base model beside it, at least one.
    """
    both = [samples for pair in pairs.values() for samples in (pair.base, pair.subnetwork)]
    pace = float(np.median([ms for samples in both for ms in samples.reference_ms]))
    base_ms = pace * float(np.median(np.concatenate([pair.base.ratios for pair in pairs.values()])))
    shares = {
        subnetwork: float(np.median(np.asarray(pair.subnetwork.call_ms) / np.asarray(pair.base.call_ms)))
        for subnetwork, pair in pairs.items()
    }
    return {base: base_ms} | {subnetwork: base_ms * share for subnetwork, share in shares.items()}


def _whole(
    architecture: Architecture, supernet: Supernet, workload: Workload, *, settings: MeasureSettings
) -> ModuleCall:
    """One whole model."""
    ((_, call),) = task_calls((architecture,), supernet, workload=workload, seed=settings.seed, on_prepare=None)
    return call


def _announce(on_prepare: OnPrepare | None, architecture: Architecture, *, number: int, total: int) -> None:
    if on_prepare is not None:
        on_prepare(PrepareReport(number=number, total=total, what=f"whole UNet {architecture.arch_id}"))


def _counted_over_all(on_round: OnRound, *, number: int, total: int) -> OnRound:
    """Rounds of sub-network `number`, counted from 1, as rounds of all of them."""

    def report_round(report: RoundReport[Task]) -> None:
        on_round(
            replace(
                report,
                num_rounds=(number - 1) * report.max_rounds + report.num_rounds,
                max_rounds=total * report.max_rounds,
                is_last=report.is_last and number == total,
            )
        )

    return report_round


def check_memory(models: Iterable[Architecture], /, *, supernet: Supernet, backend: Backend) -> None:
    """Refuse what would be killed: the base model and one of `models` at a time.

    Raises:
        ValueError: The backend holds weights of its own for every model, and the memory is too small for two.
    """
    available, space = available_bytes(), supernet.space
    if not backend.copies_weights or available is None:
        return
    largest = max(num_weights((space.base, model), space=space) for model in models)
    if (needed := largest * supernet.unet.dtype.itemsize) > available:
        raise UserError(
            f"{backend.runtime.name} must hold the weights of the base model and of a sub-network beside it, "
            f"{needed / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB of memory are free"
        )


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
