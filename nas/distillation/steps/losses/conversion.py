"""The objective that teaches v to a UNet that predicts something else: its own answers, said in terms of v."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.distillation.steps.losses.answering import Answering, Teacher
from nas.distillation.steps.losses.ddim import v_of
from nas.distillation.steps.losses.step_loss import with_original
from nas.distillation.steps.settings import LossSettings
from nas.pipelines.conditioning import Conditioning
from nas.training.objective import Computing, Draws
from search_spaces.supernet import Supernet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conversion:
    """An objective: say in terms of v what the teacher says in its own, at any timestep.

    Attributes:
        teacher: The UNet as it was.
        student: How it is asked from now on.
        loss: Of it, what plain training counts beside.
    """

    teacher: Teacher
    student: Answering
    loss: LossSettings

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """Noise and timesteps."""
        noise = torch.randn(shape, generator=generator)
        num = len(self.student.process.alphas_cumprod)
        return {"noise": noise, "timesteps": torch.randint(num, shape[:1], generator=generator)}

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> "ConversionExercise":
        """Noisy pictures, and what the teacher says of them."""
        noise, timesteps = draws["noise"], draws["timesteps"]
        alpha, sigma = self.student.process.at(timesteps)
        z = alpha * latents + sigma * noise
        with torch.no_grad():
            target, _ = self.teacher.answering.v(
                self.teacher.supernet, z, timesteps=timesteps, text=text, computing=computing
            )
        return ConversionExercise(
            objective=self,
            z=z,
            timesteps=timesteps,
            target=target,
            original=v_of(latents, noise, alpha=alpha, sigma=sigma),
            text=text,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConversionExercise:
    """What a student is asked.

    Attributes:
        objective: Whose exercise it is.
        z: What it sees.
        timesteps: How noisy that is.
        target: The teacher's answer as v.
        original: v of the true picture.
        text: What it is told of the pictures.
    """

    objective: Conversion
    z: Float[Tensor, "n c h w"]
    timesteps: Int[Tensor, " n"]
    target: Float[Tensor, "n c h w"]
    original: Float[Tensor, "n c h w"]
    text: Conditioning

    def loss(self, supernet: Supernet, /, *, computing: Computing) -> Float[Tensor, ""]:
        """The error of v."""
        v, _ = self.objective.student.v(supernet, self.z, timesteps=self.timesteps, text=self.text, computing=computing)
        distilled = ((v - self.target) ** 2).mean()
        return with_original(distilled, ((v - self.original) ** 2).mean(), settings=self.objective.loss)
