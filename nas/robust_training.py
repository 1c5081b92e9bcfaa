"""Robust training: every block runs with some probability, else only its shortcut (SnapFusion, section 3.1).

It makes block removals comparable: a UNet that has met missing blocks in training degrades gently when one goes, so
that the CLIP score lost tells what the block is worth. After stochastic depth and slimmable networks.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from torch.nn import functional as F

from nas.data.latent_set import LatentSet
from search_spaces.actions import GENES
from search_spaces.architecture import Architecture
from search_spaces.blocks import BlockKind
from search_spaces.supernet import Supernet
from search_spaces.unet_space import UNetSpace

NO_EXCEPTIONS: Final[Mapping[str, float]] = MappingProxyType({})


def drop_blocks(
    architecture: Architecture,
    /,
    *,
    probability: float,
    rng: np.random.Generator,
    by_stage: Mapping[str, float] = NO_EXCEPTIONS,
    protected: Collection[str] = (),
) -> Architecture:
    """An architecture from which each block has been left out with a probability.

    Args:
        architecture: Where the blocks come from; one draw per block and copy.
        probability: Chance of each block to be skipped, in [0, 1).
        rng: Source of the draws.
        by_stage: Other chances for the blocks of one kind and stage: {"cross_attention[down.0]": 0.5}.
        protected: Blocks that always run, named as in actions: "cross_attention[up.3,0]".
    """
    dropped = architecture
    for place, position in architecture.positions():
        genes = {}
        for kind in (BlockKind.CROSS_ATTENTION, BlockKind.RESNET):
            count = getattr(position, GENES[kind])
            kept = int(np.sum(rng.random(count) >= by_stage.get(f"{kind}[{place}]", probability)))
            genes[GENES[kind]] = count if f"{kind}[{place},{position.source}]" in protected else kept
        dropped = dropped.with_position(place, replace(position, **genes))
    return dropped


def check_stages(space: UNetSpace, by_stage: Mapping[str, float], /) -> None:
    """Check that every kind and stage with a chance of its own exists.

    Raises:
        ValueError: Stages that the model does not have.
    """
    known = sorted({f"{b.kind}[{b.stage}]" for action in space.removals(space.base) for b in action.blocks})
    if unknown := sorted(set(by_stage) - set(known)):
        raise ValueError(
            f"`drop_probability_by_stage` names stages that the model does not have: {unknown}; choose among {known}"
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSchedule:
    """The forward process of a diffusers scheduler: cumulative products and what the UNet predicts."""

    alphas_cumprod: torch.Tensor
    prediction_type: str

    def diffuse(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy latents z_t = alpha_t x + sigma_t eps, and the training target (epsilon, v or x), both (n, c, h, w)."""
        alphas_cumprod = self.alphas_cumprod.to(latents.device)[timesteps].view(-1, 1, 1, 1)
        alpha, sigma = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
        noisy = alpha * latents + sigma * noise
        match self.prediction_type:
            case "epsilon":
                return noisy, noise
            case "v_prediction":
                return noisy, alpha * noise - sigma * latents
            case "sample":
                return noisy, latents
        raise ValueError(f"`prediction_type` must be epsilon, v_prediction or sample, but got {self.prediction_type!r}")


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
