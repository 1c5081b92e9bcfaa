"""Measuring a UNet's latency table: every block of its space alone, the whole model, and random sub-networks.

All of them are tasks of one interleaved run, so that sums, whole and predictions are comparable to a few per cent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from latency.backends.host import available_bytes
from latency.blocks import Inputs, isolated_blocks, whole_model
from latency.estimator import Samples
from latency.interleaving import MeasureSettings, RoundReport, interleave, standing
from latency.sample_log import SampleLog
from latency.scenario import Device, Method, Protocol, Workload
from latency.source import Backend
from latency.subnetworks import random_architectures
from latency.table import LatencyTable, cross_attention_dim
from latency.tabulation import Task, measured_check, measured_rows
from search_spaces import Architecture, BlockSignature, UNetSpace
from search_spaces.supernet import Supernet

OnRound: TypeAlias = Callable[[RoundReport[Task]], None]
OnPrepare: TypeAlias = Callable[["PrepareReport"], None]
LENGTH_SETTINGS = ("min_rounds", "max_rounds", "target_cv")  # may change when a measurement goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareReport:
    """A block or model that is about to be prepared, which may take a backend minutes.

    Attributes:
        number: Counted from 1.
        total: How many there are.
        what: A short name of it.
    """

    number: int
    total: int
    what: str


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
        height: Latent height; 0 = the model's own.
        width: Latent width; 0 = the model's own.
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
    tasks = measured_tasks(supernet.space, subnetworks, workload=workload)
    log = samples_file and SampleLog(
        samples_file,
        scenario=_scenario(workload, device=device, backend=backend, settings=settings),
        labels={task: _label(task) for task in tasks},
    )
    samples: Mapping[Task, Samples] = log.read() if log else {}

    def after_round(report: RoundReport[Task]) -> None:
        if log:
            log.append(report.samples)
        if on_round is not None:
            on_round(report)

    if not (samples and standing(samples, settings=settings).is_last):
        _check_memory(tasks, space=supernet.space, backend=backend, bytes_per_weight=supernet.unet.dtype.itemsize)
        with backend.session():
            prepared = _prepared(
                tasks, supernet, backend=backend, workload=workload, seed=settings.seed, on_prepare=on_prepare
            )
            samples = interleave(
                dict(prepared),
                reference=backend.reference(),
                clock=backend.clock,
                settings=settings,
                earlier=samples,
                on_round=after_round,
            )
    end_to_end, rows = measured_rows(samples, space=supernet.space, workload=workload)
    order = "interleaved: every round visits every block and the whole model in random order"
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
            estimator="median(sample / reference around it) x median(reference)",
        ),
        end_to_end=end_to_end,
        check=None,
        rows=rows,
    )
    return replace(table, check=measured_check(table, samples, space=supernet.space, subnetworks=subnetworks))


def workload_of(
    supernet: Supernet, /, *, base_model: str, batch: int, height: int, width: int, context_tokens: int
) -> Workload:
    """The workload of a supernet's base model, with its dtype and attention as they are; see `measure_table`."""
    space = supernet.space
    return Workload(
        base_model=base_model,
        latent_height=height or space.sample_size[0],
        latent_width=width or space.sample_size[1],
        batch=batch,
        dtype=str(supernet.unet.dtype).removeprefix("torch."),
        context_tokens=context_tokens,
        cross_attention_dim=cross_attention_dim(space),
        temb_channels=space.temb_channels,
        attention_impl=", ".join(sorted({type(p).__name__ for p in supernet.unet.attn_processors.values()})),
    )


def measured_tasks(
    space: UNetSpace, subnetworks: tuple[Architecture, ...], /, *, workload: Workload
) -> tuple[Task, ...]:
    """Everything that a table needs measured: all signatures of a space, its base model, and sub-networks."""
    signatures = space.reachable_signatures(
        height=workload.latent_height, width=workload.latent_width, context_tokens=workload.context_tokens
    )
    return (*signatures, space.base, *subnetworks)


def _prepared(
    tasks: tuple[Task, ...],
    supernet: Supernet,
    *,
    backend: Backend,
    workload: Workload,
    seed: int,
    on_prepare: OnPrepare | None,
) -> Iterator[tuple[Task, Callable[[], object]]]:
    """Every task as the backend runs it, one after the other: whole models are built when their turn comes."""
    inputs = Inputs(supernet.unet, batch=workload.batch, context_tokens=workload.context_tokens, seed=seed)
    size = {"height": workload.latent_height, "width": workload.latent_width}
    blocks = isolated_blocks(supernet, inputs, **size)
    for number, task in enumerate(tasks, start=1):
        if on_prepare is not None:
            what = str(task) if isinstance(task, BlockSignature) else f"whole UNet {task.arch_id}"
            on_prepare(PrepareReport(number=number, total=len(tasks), what=what))
        if isinstance(task, BlockSignature):
            call = blocks.pop(task)
        else:
            with supernet.switched(task) as unet:
                call = whole_model(unet, inputs, space=supernet.space, **size)
        yield task, backend.prepare(call)


def _check_memory(tasks: tuple[Task, ...], *, space: UNetSpace, backend: Backend, bytes_per_weight: int) -> None:
    """Refuse what would be killed after an hour of exporting."""
    available = available_bytes()
    if not backend.copies_weights or available is None:
        return
    num_weights = sum(t.num_params if isinstance(t, BlockSignature) else space.num_params(t) for t in tasks)
    if (needed := num_weights * bytes_per_weight) > available:
        raise ValueError(
            f"{backend.runtime.name} must hold the weights of every block and model at once, "
            f"{needed / 2**30:.1f} GiB, but {available / 2**30:.1f} GiB of memory are free; "
            "measure fewer sub-networks (`--subnetworks`) or copies (`--max-copies`)"
        )


def _scenario(workload: Workload, *, device: Device, backend: Backend, settings: MeasureSettings) -> dict[str, Any]:
    """What must not change when a measurement goes on."""
    protocol = {name: value for name, value in asdict(settings).items() if name not in LENGTH_SETTINGS}
    return {
        "workload": asdict(workload),
        "device": asdict(device),
        "runtime": asdict(backend.runtime),
        "protocol": protocol | {"clock": backend.clock.name, "reference": backend.reference_name},
    }


def _label(task: Task) -> str:
    """A text that tells a task from all others."""
    if isinstance(task, Architecture):
        return task.arch_id
    return " ".join(f"{name}={value}" for name, value in asdict(task).items() if value)
