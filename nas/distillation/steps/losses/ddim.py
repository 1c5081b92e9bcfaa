"""The mathematics of step distillation, in the paper's letters: z_t = alpha_t x + sigma_t eps, v = alpha eps - sigma x.

SnapFusion, section 4.2 (arXiv 2306.00980); progressive distillation, Salimans and Ho 2022 (arXiv 2202.00512). All
functions are linear in what they are given row by row, and take tensors of any float type.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from search_spaces.files.user_error import UserError

END = -1  # in place of a timestep: where the last step of a schedule leads
_SMALLEST = 1e-4  # alpha below which a prediction of the noise says nothing of the picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Process:
    """The forward process at every timestep, and at the end of sampling.

    Attributes:
        alphas_cumprod: alpha^2 at each timestep.
        final_alpha_cumprod: alpha^2 at `END`, which a scheduler chooses (`set_alpha_to_one`).
    """

    alphas_cumprod: Float[Tensor, " t"]
    final_alpha_cumprod: Float[Tensor, ""]

    @classmethod
    def of(cls, scheduler: Any, /) -> Self:
        """The process of a `DDIMScheduler`."""
        return cls(alphas_cumprod=scheduler.alphas_cumprod, final_alpha_cumprod=scheduler.final_alpha_cumprod)

    def at(self, timesteps: Int[Tensor, " n"], /) -> tuple[Float[Tensor, "n 1 1 1"], Float[Tensor, "n 1 1 1"]]:
        """Alpha and sigma at timesteps; `END` may be one."""
        known = torch.cat([self.alphas_cumprod, self.final_alpha_cumprod.reshape(1).to(self.alphas_cumprod)])
        squared = known.to(timesteps.device)[timesteps].view(-1, 1, 1, 1)  # `END` is the last one
        return squared.sqrt(), (1 - squared).sqrt()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """The steps of DDIM with trailing spacing, exactly those that diffusers' scheduler takes.

    Attributes:
        starts: Timestep of each step, falling.
        ends: Where each step leads; `END` for the last one.
    """

    starts: Int[Tensor, " steps"]
    ends: Int[Tensor, " steps"]

    @classmethod
    def of(cls, scheduler: Any, /, *, num_steps: int) -> Self:
        """The steps of a `DDIMScheduler`, which is set to them."""
        scheduler.set_timesteps(num_steps)
        starts: Tensor = scheduler.timesteps.clone()
        ends = starts - scheduler.config.num_train_timesteps // num_steps
        return cls(starts=starts, ends=ends.clamp(min=END))

    def between(self, index: Int[Tensor, " n"], /, *, num: int) -> list[Int[Tensor, " n"]]:
        """The timesteps of `num` equal steps in place of one, from its start to its end, both included."""
        start, end = self.starts.to(index.device)[index], self.ends.to(index.device)[index]
        width = start - end
        return [start - torch.div(2 * k * width + num, 2 * num, rounding_mode="floor") for k in range(num + 1)]


def picture_and_noise(
    kind: str, output: Tensor, /, *, z: Tensor, alpha: Tensor, sigma: Tensor
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
    """What a prediction says of a noisy latent: the picture x and the noise eps.

    Args:
        kind: "epsilon", "v_prediction" or "sample".
        output: The prediction.
        z: What was predicted of.
        alpha: Of z.
        sigma: Of z.

    Raises:
        UserError: Another kind.
    """
    match kind:
        case "epsilon":
            return (z - sigma * output) / alpha, output
        case "v_prediction":
            return alpha * z - sigma * output, sigma * z + alpha * output
        case "sample":
            return output, (z - alpha * output) / sigma
    raise UserError(f"`prediction_type` must be epsilon, v_prediction or sample, but got {kind!r}")


def v_of(x: Tensor, eps: Tensor, /, *, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "n c h w"]:
    """v of a picture and noise."""
    return alpha * eps - sigma * x


def one_step_target(
    z: Tensor, z_end: Tensor, /, *, alpha: Tensor, sigma: Tensor, alpha_end: Tensor, sigma_end: Tensor
) -> Float[Tensor, "n c h w"]:
    """The picture x* with which one step of DDIM leads from z to z_end: what a student is to see in z."""
    ratio = sigma_end / sigma
    return (z_end - ratio * z) / (alpha_end - ratio * alpha)


def check_kind(kind: str, process: Process, /, *, name: str) -> None:
    """Check that a prediction says something of the picture at every timestep.

    Raises:
        UserError: It is of noise, and there are timesteps of nothing but noise.
    """
    if kind == "epsilon" and process.alphas_cumprod.min() < _SMALLEST**2:
        raise UserError(
            f"{name} predicts noise (epsilon), but the last timestep of its schedule has no signal, of which noise "
            "says nothing; give a model of v_prediction, or a schedule without `rescale_betas_zero_snr`"
        )
