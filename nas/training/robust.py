"""Robust training: every block runs with some probability, else only its shortcut (SnapFusion, section 3.1).

It makes block removals comparable: a UNet that has met missing blocks in training degrades gently when one goes, so
that the CLIP score lost tells what the block is worth. After stochastic depth and slimmable networks.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch.nn import functional as F

from nas.training.dropping import drop_blocks
from nas.training.latent_set import LatentSet
from nas.training.noise_schedule import NoiseSchedule
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustTrainingSettings:
    """How the supernet is trained before each round's scores; the paper leaves every number open.

    Attributes:
        drop_probability: Chance of each block to be skipped in a step.
        drop_probability_by_stage: Other chances for the blocks of one kind and stage, such as
            {"cross_attention[down.0]": 0.5}: the paper's p(., I) may depend on the block.
        batch_size: Pictures per step.
        learning_rate: Peak of AdamW's rate, after a linear warm-up over a tenth of the steps.
        weight_decay: AdamW's.
        caption_dropout: Share of empty captions, which classifier-free guidance needs.
        max_grad_norm: Gradients are clipped to this norm.
        protected: Blocks that always run.
    """

    drop_probability: float = 0.1
    drop_probability_by_stage: Mapping[str, float] = field(default_factory=dict)
    batch_size: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    caption_dropout: float = 0.1
    max_grad_norm: float = 1.0
    protected: frozenset[str] = frozenset()


def train(
    supernet: Supernet,
    /,
    *,
    data: LatentSet,
    schedule: NoiseSchedule,
    settings: RobustTrainingSettings,
    num_iterations: int,
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> list[float]:
    """Train the current architecture's weights in place, skipping blocks at random; it is current again at the end.

    The optimizer starts afresh, and step i depends on the seed and i alone: the same call gives the same weights.

    Returns:
        The loss of every step.
    """
    architecture, losses = supernet.architecture, list[float]()
    parameters = supernet.all_parameters()
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    warm_up = max(1, num_iterations // 10)
    supernet.unet.train()
    for step, loss in enumerate(islice(_losses(supernet, data, schedule, settings, seed), num_iterations)):
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
    supernet: Supernet, /, *, data: LatentSet, schedule: NoiseSchedule, settings: RobustTrainingSettings
) -> float:
    """Seconds of a step's forward and backward pass, the second of two; no weight changes."""
    architecture, seconds = supernet.architecture, 0.0
    supernet.unet.train()
    losses = _losses(supernet, data, schedule, settings, 0)
    for _ in range(2):
        start = time.perf_counter()
        next(losses).backward()
        seconds = time.perf_counter() - start
    supernet.switch(architecture)
    supernet.unet.eval()
    for parameter in supernet.all_parameters():
        parameter.grad = None
    return seconds


def _losses(
    supernet: Supernet, data: LatentSet, schedule: NoiseSchedule, settings: RobustTrainingSettings, seed: int
) -> Iterator[torch.Tensor]:
    """The loss of one step after the other, each of a batch and a sub-network of its own."""
    architecture, device = supernet.architecture, supernet.unet.device
    batches = data.batches(seed=seed, size=settings.batch_size, caption_dropout=settings.caption_dropout)
    for step, (latents, text, generator) in enumerate(batches):
        noise = torch.randn(latents.shape, generator=generator).to(device)
        timesteps = torch.randint(len(schedule.alphas_cumprod), (len(latents),), generator=generator).to(device)
        noisy, target = schedule.diffuse(latents.to(device), noise, timesteps)
        dropped = drop_blocks(
            architecture,
            probability=settings.drop_probability,
            rng=np.random.default_rng([seed, step]),
            by_stage=settings.drop_probability_by_stage,
            protected=settings.protected,
        )
        supernet.switch(dropped)
        predicted = supernet.unet(noisy, timesteps, **text.to(device).arguments()).sample
        yield F.mse_loss(predicted, target)
