"""Robust training: every block runs with some probability, else only its shortcut (SnapFusion, section 3.1).

It makes block removals comparable: a UNet that has met missing blocks in training degrades gently when one goes, so
that the CLIP score lost tells what the block is worth. After stochastic depth and slimmable networks.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from nas.training.latent_set import LatentSet
from nas.training.noise_schedule import NoiseSchedule
from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.strategy import SkipStrategy
from search_spaces.supernet import Supernet


def train(
    supernet: Supernet,
    /,
    *,
    data: LatentSet,
    schedule: NoiseSchedule,
    settings: RobustTrainingSettings,
    protected: frozenset[str] = frozenset(),
    num_iterations: int,
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> list[float]:
    """Train the current architecture's weights in place, skipping blocks at random; it is current again at the end.

    The optimizer starts afresh, and step i depends on the seed and i alone: the same call gives the same weights.

    Args:
        supernet: Trained in place.
        data: Pictures, encoded, with their captions.
        schedule: The forward process.
        settings: How to train.
        protected: Blocks that are never skipped.
        num_iterations: Steps.
        seed: Of batches, noise and what is skipped.
        on_step: Called with (steps done, loss).

    Returns:
        The loss of every step.
    """
    architecture, losses = supernet.architecture, list[float]()
    parameters = supernet.all_parameters()
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    warm_up = max(1, num_iterations // 10)
    supernet.unet.train()
    strategy = skip_strategy(settings.skipping, space=supernet.space, architecture=architecture, protected=protected)
    every = _losses(supernet, data, schedule, settings, strategy, seed, num_iterations)
    for step, loss in enumerate(islice(every, num_iterations)):
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, (step + 1) / warm_up)
        optimizer.step()
        losses.append(loss.item())
        on_step(step + 1, losses[-1])
    supernet.switch(architecture)
    supernet.unet.eval()
    return losses


def time_step(
    supernet: Supernet,
    /,
    *,
    data: LatentSet,
    schedule: NoiseSchedule,
    settings: RobustTrainingSettings,
    protected: frozenset[str] = frozenset(),
) -> float:
    """Seconds of a step's forward and backward pass, the second of two; no weight changes."""
    architecture, seconds = supernet.architecture, 0.0
    supernet.unet.train()
    strategy = skip_strategy(settings.skipping, space=supernet.space, architecture=architecture, protected=protected)
    losses = _losses(supernet, data, schedule, settings, strategy, 0, 2)
    for _ in range(2):
        start = time.perf_counter()
        next(losses).backward()
        if supernet.unet.device.type == "cuda":  # which has only been told what to do
            torch.cuda.synchronize(supernet.unet.device)
        seconds = time.perf_counter() - start
    supernet.switch(architecture)
    supernet.unet.eval()
    for parameter in supernet.all_parameters():
        parameter.grad = None
    return seconds


def _losses(
    supernet: Supernet,
    data: LatentSet,
    schedule: NoiseSchedule,
    settings: RobustTrainingSettings,
    strategy: SkipStrategy,
    seed: int,
    num_steps: int,
) -> Iterator[Float[Tensor, ""]]:
    """The loss of one step after the other, each of a batch and sub-networks of its own."""
    device = supernet.unet.device
    batches = data.batches(seed=seed, size=settings.batch_size, caption_dropout=settings.caption_dropout)
    for step, (latents, text, generator) in enumerate(batches):
        noise = torch.randn(latents.shape, generator=generator).to(device)
        timesteps = torch.randint(len(schedule.alphas_cumprod), (len(latents),), generator=generator).to(device)
        noisy, target = schedule.diffuse(latents.to(device), noise, timesteps)
        losses, arguments = [], text.to(device).arguments()
        for subnetwork in strategy.subnetworks(step=step, num_steps=num_steps, seed=seed):
            supernet.switch(subnetwork)
            losses.append(F.mse_loss(supernet.unet(noisy, timesteps, **arguments).sample, target))
        yield torch.stack(losses).mean()
