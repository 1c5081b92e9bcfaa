"""What a training step minimises: the error of the prediction, weighted by timestep, and what a teacher adds.

Weights are those of min-SNR ("Efficient Diffusion Training via Min-SNR Weighting Strategy", Hang et al. 2023): the
error of the picture that a prediction means counts min(SNR, gamma) times. In units of the prediction itself, whose
error is that of the picture times a function of the SNR alone, this is

| prediction | weight | at zero terminal SNR |
|---|---|---|
| epsilon | min(SNR, gamma) / SNR | 1, the limit |
| v | min(SNR, gamma) / (SNR + 1) | 0 |
| sample | min(SNR, gamma) | 0 |
"""

from dataclasses import dataclass

import torch
from diffusers.training_utils import compute_snr
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.distillation import Distillation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What a UNet is asked, and what it should answer.

    Attributes:
        noisy: What it sees.
        timesteps: How noisy that is.
        target: What it should predict.
    """

    noisy: Float[Tensor, "n c h w"]
    timesteps: Int[Tensor, " n"]
    target: Float[Tensor, "n c h w"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objective:
    """What is minimised.

    Attributes:
        schedule: The forward process, and what the UNet predicts.
        min_snr_gamma: Of min-SNR weighting; None = every timestep counts the same.
        distillation: What a teacher adds; None = nothing.
    """

    schedule: NoiseSchedule
    min_snr_gamma: float | None = None
    distillation: Distillation | None = None

    def task(
        self, latents: Float[Tensor, "n c h w"], *, noise: Float[Tensor, "n c h w"], timesteps: Int[Tensor, " n"]
    ) -> Task:
        """The task that latents, noise and timesteps make."""
        noisy, target = self.schedule.diffuse(latents, noise, timesteps)
        return Task(noisy=noisy, timesteps=timesteps, target=target)

    def error(self, predicted: Float[Tensor, "n c h w"], task: Task, /) -> Float[Tensor, ""]:
        """The weighted mean squared error of a prediction."""
        if self.min_snr_gamma is None:
            return F.mse_loss(predicted.float(), task.target)
        errors = F.mse_loss(predicted.float(), task.target, reduction="none").mean(dim=(1, 2, 3))
        return (errors * self.weights(task.timesteps)).mean()

    def weights(self, timesteps: Int[Tensor, " n"], /) -> Float[Tensor, " n"]:
        """How much the error at each timestep counts; see above."""
        if self.min_snr_gamma is None:
            return torch.ones(len(timesteps), device=timesteps.device)
        snr: Tensor = compute_snr(self.schedule, timesteps)
        clipped = snr.clamp(max=self.min_snr_gamma)
        match self.schedule.prediction_type:
            case "epsilon":
                return torch.where(snr > 0, clipped / snr, 1.0)
            case "v_prediction":
                return clipped / (snr + 1)
            case _:
                return clipped
