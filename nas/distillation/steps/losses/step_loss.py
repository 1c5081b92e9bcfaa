"""The objective of SnapFusion's step distillation: vanilla loss, CFG-aware loss, and the original loss beside (4.2).

A student that is told its guidance (Meng et al. 2023, arXiv 2210.03142) learns by the same loss: its teacher is guided
in every step, and the student answers in one pass.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nas.distillation.steps.losses.answering import Answering, Teacher
from nas.distillation.steps.losses.ddim import Schedule, one_step_target, picture_and_noise, v_of
from nas.distillation.steps.settings import LossSettings, Weighting
from nas.pipelines.conditioning import Conditioning
from nas.training.objective import Computing, Draws
from search_spaces.supernet import Supernet

_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepDistillation:
    """An objective: reach in one step what the teacher reaches in several.

    Attributes:
        teacher: From whom is learned.
        student: How the student is asked; it predicts v.
        schedule: Its steps.
        teacher_steps_per_step: Steps of the teacher in place of one.
        loss: Weights and chances.
    """

    teacher: Teacher
    student: Answering
    schedule: Schedule
    teacher_steps_per_step: int
    loss: LossSettings

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """Noise, steps, guidance scales, and whether guided answers are compared: all pictures of a step, or none."""
        noise = torch.randn(shape, generator=generator)
        steps = torch.randint(len(self.schedule.starts), shape[:1], generator=generator)
        low, high = self.loss.cfg_lowest, self.loss.cfg_highest
        w = low + (high - low) * torch.rand(shape[:1], generator=generator)
        guided = torch.rand(1, generator=generator) < self.loss.cfg_probability
        if self.student.told is not None:
            guided = torch.ones(1, dtype=torch.bool)
        return {"noise": noise, "steps": steps, "w": w, "guided": guided.expand(shape[0])}

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> "StepExercise":
        """Noisy pictures at the start of a step, and what one must see in them to end where the teacher does."""
        noise, process = draws["noise"], self.student.process
        w = draws["w"] if _is_guided(draws["guided"]) else None
        through = self.schedule.between(draws["steps"], num=self.teacher_steps_per_step)
        alpha, sigma = process.at(through[0])
        z = alpha * latents + sigma * noise
        z_end = self.teacher.walk(z, through=through, text=text, computing=computing, w=w)
        alpha_end, sigma_end = process.at(through[-1])
        return StepExercise(
            objective=self,
            z=z,
            timesteps=through[0],
            target=one_step_target(z, z_end, alpha=alpha, sigma=sigma, alpha_end=alpha_end, sigma_end=sigma_end),
            original=v_of(latents, noise, alpha=alpha, sigma=sigma),
            text=text,
            w=w,
        )

    def weights(self, alpha: Tensor, sigma: Tensor, /) -> Float[Tensor, "n 1 1 1"]:
        """How much the error of the picture counts."""
        snr = alpha**2 / sigma**2
        match self.loss.weighting:
            case Weighting.TRUNCATED_SNR:
                return snr.clamp(min=1)
            case Weighting.SNR_PLUS_ONE:
                return snr + 1
            case Weighting.UNIFORM:
                return torch.ones_like(snr)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepExercise:
    """What a student is asked at the start of its steps.

    Attributes:
        objective: Whose exercise it is.
        z: What it sees.
        timesteps: How noisy that is.
        target: The picture x* that it is to see there.
        original: v of the true picture, which plain training would ask for.
        text: What it is told of the pictures.
        w: Guidance scales of the teacher; None = it was not guided.
    """

    objective: StepDistillation
    z: Float[Tensor, "n c h w"]
    timesteps: Int[Tensor, " n"]
    target: Float[Tensor, "n c h w"]
    original: Float[Tensor, "n c h w"]
    text: Conditioning
    w: Float[Tensor, " n"] | None

    def loss(self, supernet: Supernet, /, *, computing: Computing) -> Float[Tensor, ""]:
        """The weighted error of the picture that the student sees, and gamma times that of plain training."""
        student, settings = self.objective.student, self.objective.loss
        v, plain = student.v(supernet, self.z, timesteps=self.timesteps, text=self.text, computing=computing, w=self.w)
        alpha, sigma = student.process.at(self.timesteps)
        x, _ = picture_and_noise("v_prediction", v, z=self.z, alpha=alpha, sigma=sigma)
        distilled = (self.objective.weights(alpha, sigma) * (x - self.target) ** 2).mean()
        return with_original(distilled, ((plain - self.original) ** 2).mean(), settings=settings)


def with_original(
    distilled: Float[Tensor, ""], original: Float[Tensor, ""], /, *, settings: LossSettings
) -> Float[Tensor, ""]:
    """The loss of a distillation with gamma times that of plain training, brought to its size first."""
    if not settings.original_weight:
        return distilled
    scale = distilled.detach() / original.detach().clamp(min=_TINY) if settings.original_rescaled else 1.0
    return distilled + settings.original_weight * scale * original


def _is_guided(guided: Bool[Tensor, " n"]) -> bool:
    """Whether the pictures of a step are guided; all of them are, or none."""
    return bool(guided[0])
