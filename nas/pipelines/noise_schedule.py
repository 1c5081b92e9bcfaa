"""The forward process of diffusion: how noise is added, and what a UNet has to predict."""

from dataclasses import dataclass
from typing import Any, Self

from jaxtyping import Float, Int
from torch import Tensor

from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseSchedule:
    """The forward process of a diffusers scheduler: cumulative products and what the UNet predicts."""

    alphas_cumprod: Float[Tensor, " t"]
    prediction_type: str

    @classmethod
    def of(cls, scheduler: Any, /) -> Self:
        """The forward process of a diffusers scheduler."""
        return cls(alphas_cumprod=scheduler.alphas_cumprod, prediction_type=scheduler.config.prediction_type)

    def __len__(self) -> int:
        return len(self.alphas_cumprod)

    def diffuse(
        self, latents: Float[Tensor, "n c h w"], noise: Float[Tensor, "n c h w"], timesteps: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Noisy latents z_t = alpha_t x + sigma_t eps, and the training target (epsilon, v or x)."""
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
        raise self._unknown()

    def clean(
        self, noisy: Float[Tensor, "n c h w"], output: Float[Tensor, "n c h w"], /, *, timesteps: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """Latents without noise, as a UNet has them in mind that answers so: the inverse of `diffuse`."""
        alphas_cumprod = self.alphas_cumprod.to(noisy.device)[timesteps].view(-1, 1, 1, 1)
        alpha, sigma = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
        match self.prediction_type:
            case "epsilon":
                return (noisy - sigma * output) / alpha
            case "v_prediction":
                return alpha * noisy - sigma * output
            case "sample":
                return output
        raise self._unknown()

    def _unknown(self) -> UserError:
        known = "epsilon, v_prediction or sample"
        return UserError(f"`prediction_type` must be {known}, but got {self.prediction_type!r}")
