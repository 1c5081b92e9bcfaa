"""Denoising as an objective: the error of the prediction, weighted by timestep, and what a teacher adds.

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

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.distillation import Distillation, Lesson, watched
from nas.training.objective import Computing, Draws
from search_spaces.supernet import Supernet


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
class Denoising:
    """An objective: what noise was added to, at any of the model's timesteps.

    Attributes:
        schedule: The forward process, and what the UNet predicts.
        min_snr_gamma: Of min-SNR weighting; None = every timestep counts the same.
        distillation: What a teacher adds; None = nothing.
    """

    schedule: NoiseSchedule
    min_snr_gamma: float | None = None
    distillation: Distillation | None = None

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """Noise and timesteps of a whole step's batch."""
        noise = torch.randn(shape, generator=generator)
        return {"noise": noise, "timesteps": torch.randint(len(self.schedule), shape[:1], generator=generator)}

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> "DenoisingExercise":
        """What a UNet is asked of noisy pictures, and what the teacher says of it."""
        task = self.task(latents, **draws)
        lesson = None
        if self.distillation is not None:
            with computing():
                lesson = self.distillation.lesson(task.noisy, task.timesteps, text=text)
        return DenoisingExercise(objective=self, task=task, text=text, lesson=lesson)

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenoisingExercise:
    """A task with its text, and what a teacher says of it.

    Attributes:
        objective: Whose task it is.
        task: What is asked.
        text: What the UNet is told of the pictures.
        lesson: What the teacher says; None = there is none.
    """

    objective: Denoising
    task: Task
    text: Conditioning
    lesson: Lesson | None = None

    def loss(self, supernet: Supernet, /, *, computing: Computing) -> Float[Tensor, ""]:
        """The weighted error of the current architecture's prediction, and how far it is from the lesson."""
        distillation = self.objective.distillation
        compares = distillation is not None and bool(distillation.features)
        with computing(), watched(supernet if compares else None) as features:
            predicted = supernet.unet(self.task.noisy, self.task.timesteps, **self.text.arguments()).sample
        loss = self.objective.error(predicted, self.task)
        if distillation is not None and self.lesson is not None:
            loss = loss + distillation.loss(predicted, features, lesson=self.lesson)
        return loss
