"""What a table needs to have measured: every block of a space, the whole base model, and sub-networks of it.

`latency.measure` has a backend run them here, `latency.device_kit` writes them for a device elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from latency.blocks import Inputs, ModuleCall, isolated_blocks, whole_model
from latency.scenario import Workload
from latency.table import cross_attention_dim
from search_spaces import Architecture, BlockSignature, UNetSpace
from search_spaces.supernet import Supernet

Task: TypeAlias = BlockSignature | Architecture
OnPrepare: TypeAlias = Callable[["PrepareReport"], None]


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
    supernet: Supernet, /, *, base_model: str, batch: int, height: int, width: int, context_tokens: int
) -> Workload:
    """The workload of a supernet's base model, with its dtype and attention as they are.

    Args:
        supernet: The supernet.
        base_model: Name of the model, for the record.
        batch: Samples per forward pass.
        height: Latent height; 0 = the model's own.
        width: Latent width; 0 = the model's own.
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


def num_weights(tasks: Iterable[Task], /, *, space: UNetSpace) -> int:
    """Weights of all tasks together, each with its own."""
    return sum(task.num_params if isinstance(task, BlockSignature) else space.num_params(task) for task in tasks)


def task_calls(
    tasks: tuple[Task, ...], supernet: Supernet, /, *, workload: Workload, seed: int, on_prepare: OnPrepare | None
) -> Iterator[tuple[Task, ModuleCall]]:
    """Every task as a module and its arguments, one after the other: whole models are built when their turn comes.

    Args:
        tasks: Signatures and architectures of the supernet's space.
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
            what = str(task) if isinstance(task, BlockSignature) else f"whole UNet {task.arch_id}"
            on_prepare(PrepareReport(number=number, total=len(tasks), what=what))
        if isinstance(task, BlockSignature):
            call = blocks.pop(task)
        else:
            with supernet.switched(task) as unet:
                call = whole_model(unet, inputs, space=supernet.space, **size)
        yield task, call
