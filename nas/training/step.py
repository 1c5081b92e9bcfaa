"""One training step: of a batch and the sub-networks that it trains, the loss and its gradients. Used everywhere."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from latency.pricing.scenario import Dtype
from nas.training.data.batches import Batch, TrainingData
from nas.training.launching.fleet import ALONE, Fleet
from nas.training.objective import Draws, Exercise, Objective
from nas.training.settings import LoopSettings
from nas.training.skipping.strategy import SkipStrategy
from nas.training.trainee import Trainee
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError


def training_step(
    trainee: Trainee,
    /,
    *,
    batch: Batch,
    subnetworks: Sequence[Architecture],
    objective: Objective,
    settings: LoopSettings,
    scaler: torch.amp.GradScaler | None = None,
    fleet: Fleet = ALONE,
) -> Float[Tensor, ""]:
    """Add a step's gradients to those of the weights: averaged over pictures, sub-networks and the fleet.

    A rank's rows are worked through in `settings.gradient_accumulation` parts. So one process with two parts, and two
    processes with one each, do the same but for the order of the sums.

    Args:
        trainee: Computes one sub-network after the other, the last one at the end.
        batch: This rank's rows of the step's batch; see `rows_of`.
        subnetworks: What is trained.
        objective: What is minimised.
        settings: Precision and parts.
        scaler: Of gradients in float16, which come out scaled; None = as they are.
        fleet: Who trains together.

    Returns:
        The loss, detached, averaged like the gradients.
    """
    share = 1 / (settings.gradient_accumulation * len(subnetworks))
    device = trainee.module.device
    computing = partial(autocast, settings, device)
    total = torch.zeros((), device=device)
    for exercise in _exercises(batch, objective=objective, settings=settings, device=device, fleet=fleet):
        for architecture in subnetworks:
            trainee.switch(architecture)
            loss = exercise.loss(trainee, computing=computing) * share
            (loss if scaler is None else scaler.scale(loss)).backward()
            total += loss.detach()
    if fleet.world > 1:
        fleet.average([*(each.grad for each in trainee.all_parameters() if each.grad is not None), total])
    return total


def rows_of(settings: LoopSettings, /, *, world: int) -> int:
    """Rows of a step's batch that each rank works through.

    Raises:
        UserError: The batch cannot be dealt out evenly.
    """
    shares = world * settings.gradient_accumulation
    if settings.batch_size % shares:
        raise UserError(
            f"`batch_size` must be a multiple of the {world} processes times `gradient_accumulation` "
            f"({settings.gradient_accumulation}), but is {settings.batch_size}; choose among "
            f"{settings.batch_size // shares * shares or shares} and {(settings.batch_size // shares + 1) * shares}"
        )
    return settings.batch_size // world


@contextmanager
def prepared(trainee: Trainee, settings: LoopSettings, /) -> Iterator[None]:
    """Make the current architecture ready to be trained, for the time of a `with` block; it is current again after."""
    architecture, module = trainee.architecture, trainee.module
    maps = next((each for each in trainee.all_parameters() if each.dim() == 4 and each.shape[-1] > 1), None)
    before = torch.contiguous_format if maps is None or maps.is_contiguous() else torch.channels_last
    module.train()
    if settings.gradient_checkpointing:
        module.enable_gradient_checkpointing()
    if settings.channels_last:
        _lay_out(trainee, torch.channels_last)
    try:
        yield
    finally:
        trainee.switch(architecture)
        _lay_out(trainee, before)
        if settings.gradient_checkpointing:
            module.disable_gradient_checkpointing()
        module.eval()


def _lay_out(trainee: Trainee, layout: torch.memory_format) -> None:
    for parameter in trainee.all_parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)


def _exercises(
    batch: Batch, *, objective: Objective, settings: LoopSettings, device: torch.device, fleet: Fleet
) -> Iterator[Exercise]:
    """The parts of a batch as exercises."""
    num = len(batch.latents)
    drawn = objective.draws((fleet.world * num, *batch.latents.shape[1:]), generator=batch.generator)
    own = _rows(drawn, slice(fleet.rank * num, (fleet.rank + 1) * num))
    size = num // settings.gradient_accumulation
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format

    def placed(tensor: Tensor) -> Tensor:
        return tensor.to(device, memory_format=layout) if tensor.dim() == 4 else tensor.to(device)

    for start in range(0, num, size):
        part = slice(start, start + size)
        yield objective.posed(
            placed(batch.latents[part]),
            draws={name: placed(each) for name, each in _rows(own, part).items()},
            text=batch.text[part].to(device),
            computing=partial(autocast, settings, device),
        )


def _rows(draws: Draws, rows: slice) -> Draws:
    return {name: each[rows] for name, each in draws.items()}


def autocast(settings: LoopSettings, device: torch.device, /) -> AbstractContextManager[object]:
    """What forward passes run in."""
    if settings.precision is Dtype.FLOAT32:
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, settings.precision))


def time_step(
    trainee: Trainee,
    /,
    *,
    data: TrainingData,
    objective: Objective,
    strategy: SkipStrategy,
    settings: LoopSettings,
) -> float:
    """Seconds of a step's forward and backward passes, the second of two; no weight changes."""
    seconds = 0.0
    batches = data.batches(seed=0, size=rows_of(settings, world=1), caption_dropout=settings.caption_dropout)
    with prepared(trainee, settings):
        for step in range(2):
            batch = next(batches)
            start = time.perf_counter()
            subnetworks = strategy.subnetworks(step=step, num_steps=2, seed=0)
            training_step(trainee, batch=batch, subnetworks=subnetworks, objective=objective, settings=settings)
            if trainee.module.device.type == "cuda":  # which has only been told what to do
                torch.cuda.synchronize(trainee.module.device)
            seconds = time.perf_counter() - start
    for parameter in trainee.all_parameters():
        parameter.grad = None
    return seconds
