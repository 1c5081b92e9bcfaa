"""What a table needs to have measured: every block of a space, the whole base model, and sub-networks of it.

`latency.measuring.measure` has a backend run them here, `latency.kits.kit` writes them for a device elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from latency.blocks.modules import Inputs, ModuleCall, empty_call, isolated_blocks, whole_model
from latency.pricing.fit import cross_attention_dim
from latency.pricing.scenario import Workload
from search_spaces import Architecture, BlockSignature, UNetSpace
from search_spaces.supernet import Supernet


class Overhead(StrEnum):
    """What measuring a block alone adds to it."""

    CALL = "empty call"
    """Entering the runtime, which a whole model does once."""


Task: TypeAlias = BlockSignature | Architecture | Overhead
OnPrepare: TypeAlias = Callable[["PrepareReport"], None]
# A block of more weights drives itself out of a core's own cache (1 or 2 MiB) at every call.
SMALL_BYTES: Final = 4 * 2**20


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


def workload_of(
    supernet: Supernet, /, *, base_model: str, batch: int, height: int | None, width: int | None, context_tokens: int
) -> Workload:
    """The workload of a supernet's base model, with its dtype and attention as they are.

    Args:
        supernet: The supernet.
        base_model: Name of the model, for the record.
        batch: Samples per forward pass.
        height: Latent height; None = the model's own.
        width: Latent width; None = the model's own.
        context_tokens: Text tokens that cross-attentions read.
    """
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


def num_modules(space: UNetSpace, /, *, workload: Workload, bytes_per_weight: int) -> dict[Task, int]:
    """How many modules with weights of their own stand behind a signature of the base model.

    A small block that is called over and over finds its weights in the caches, where a forward pass has driven them
    out: there are as many modules of it as the base model has sites, so that rounds touch what a forward pass touches.
    """
    sites = space.sites(space.base, **workload.sizes)
    return {
        signature: num if signature.num_params * bytes_per_weight <= SMALL_BYTES else 1
        for signature, num in Counter(site.signature for site in sites).items()
    }


def num_weights(tasks: Iterable[Task], /, *, space: UNetSpace) -> int:
    """Weights of all tasks together, each with its own."""
    return sum(
        task.num_params if isinstance(task, BlockSignature) else space.num_params(task)
        for task in tasks
        if not isinstance(task, Overhead)
    )


def task_calls(
    tasks: tuple[Task, ...], supernet: Supernet, /, *, workload: Workload, seed: int, on_prepare: OnPrepare | None
) -> Iterator[tuple[Task, ModuleCall]]:
    """Every task as a module and its arguments, one after the other: whole models are built when their turn comes.

    Args:
        tasks: Signatures and architectures of the supernet's space, and the empty call.
        supernet: The supernet; its architecture is the same whenever a task is handed out.
        workload: Sizes of the arguments.
        seed: Of the arguments' numbers.
        on_prepare: Told before a task is handed out.
    """
    inputs = Inputs(supernet.unet, batch=workload.batch, context_tokens=workload.context_tokens, seed=seed)
    size = {"height": workload.latent_height, "width": workload.latent_width}
    has_blocks = any(isinstance(task, BlockSignature) for task in tasks)
    blocks = isolated_blocks(supernet, inputs, **size) if has_blocks else {}
    for number, task in enumerate(tasks, start=1):
        if on_prepare is not None:
            what = f"whole UNet {task.arch_id}" if isinstance(task, Architecture) else str(task)
            on_prepare(PrepareReport(number=number, total=len(tasks), what=what))
        match task:
            case BlockSignature():
                call = blocks.pop(task)
            case Overhead():
                call = empty_call(inputs)
            case Architecture():
                with supernet.switched(task) as unet:
                    call = whole_model(unet, inputs, space=supernet.space, **size)
        yield task, call
