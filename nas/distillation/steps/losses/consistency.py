"""The objective of latent consistency: neighbouring noises of one trajectory mean the same picture.

Latent Consistency Models, Luo et al. 2023 (arXiv 2310.04378), with the target of the student's own weights without
gradients (no moving average of them, as Song and Dhariwal 2023, arXiv 2310.14189, advise), sampled by diffusers'
`LCMScheduler`, whose boundary conditions these are.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.distillation.steps.losses.answering import Answering, Teacher
from nas.distillation.steps.losses.ddim import Schedule, picture_and_noise
from nas.distillation.steps.settings import LossSettings
from nas.pipelines.conditioning import Conditioning
from nas.training.objective import Computing, Draws
from search_spaces.supernet import Supernet

SIGMA_DATA: Final = 0.5  # of `LCMScheduler`, as is the next
TIMESTEP_SCALING: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Consistency:
    """An objective: see the same picture before and after a step of the teacher.

    Attributes:
        teacher: Whose steps they are, guided.
        student: How the student is asked; it is told the guidance.
        schedule: The steps.
        loss: Range of guidance, and where errors count squared.
    """

    teacher: Teacher
    student: Answering
    schedule: Schedule
    loss: LossSettings

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """Noise, steps and guidance scales."""
        noise = torch.randn(shape, generator=generator)
        steps = torch.randint(len(self.schedule.starts), shape[:1], generator=generator)
        low, high = self.loss.cfg_lowest, self.loss.cfg_highest
        return {"noise": noise, "steps": steps, "w": low + (high - low) * torch.rand(shape[:1], generator=generator)}

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> "ConsistencyExercise":
        """Noisy pictures, and where a step of the teacher leads from them."""
        w, through = draws["w"], self.schedule.between(draws["steps"], num=1)
        alpha, sigma = self.student.process.at(through[0])
        z = alpha * latents + sigma * draws["noise"]
        z_end = self.teacher.walk(z, through=through, text=text, computing=computing, w=w)
        return ConsistencyExercise(
            objective=self, z=z, z_end=z_end, start=through[0], end=through[1].clamp(min=0), text=text, w=w
        )

    def picture(
        self,
        supernet: Supernet,
        z: Float[Tensor, "n c h w"],
        /,
        *,
        timesteps: Int[Tensor, " n"],
        text: Conditioning,
        computing: Computing,
        w: Float[Tensor, " n"],
    ) -> Float[Tensor, "n c h w"]:
        """The picture that noisy latents mean: themselves where there is no noise."""
        v, _ = self.student.v(supernet, z, timesteps=timesteps, text=text, computing=computing, w=w)
        alpha, sigma = self.student.process.at(timesteps)
        x, _ = picture_and_noise("v_prediction", v, z=z, alpha=alpha, sigma=sigma)
        scaled = (timesteps.float() * TIMESTEP_SCALING).view(-1, 1, 1, 1)
        total = scaled**2 + SIGMA_DATA**2
        return SIGMA_DATA**2 / total * z + scaled / total.sqrt() * x


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConsistencyExercise:
    """What a student is asked.

    Attributes:
        objective: Whose exercise it is.
        z: Before the teacher's step.
        z_end: After it.
        start: Timesteps of z.
        end: Timesteps of `z_end`.
        text: What it is told of the pictures.
        w: The guidance that it is told.
    """

    objective: Consistency
    z: Float[Tensor, "n c h w"]
    z_end: Float[Tensor, "n c h w"]
    start: Int[Tensor, " n"]
    end: Int[Tensor, " n"]
    text: Conditioning
    w: Float[Tensor, " n"]

    def loss(self, supernet: Supernet, /, *, computing: Computing) -> Float[Tensor, ""]:
        """How far apart the two pictures are, by the pseudo-Huber distance."""
        see, c = self.objective.picture, self.objective.loss.huber
        with torch.no_grad():
            wanted = see(supernet, self.z_end, timesteps=self.end, text=self.text, computing=computing, w=self.w)
        seen = see(supernet, self.z, timesteps=self.start, text=self.text, computing=computing, w=self.w)
        distance: Tensor = ((seen - wanted) ** 2 + c**2).sqrt() - c
        return distance.mean()
