"""Pictures to latents and back, by a pipeline's autoencoder, scaled as diffusers scales them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Autoencoder:
    """A variational autoencoder.

    Attributes:
        vae: Its module.
        of_sdxl: Whether it belongs to an SDXL pipeline: these, and only these, standardise latents per channel where
            the config says so, and keep one that overflows in float16 (`force_upcast`) out of it.
    """

    vae: AutoencoderKL
    of_sdxl: bool

    @property
    def scale(self) -> int:
        """Pixels per latent, in height as in width."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @torch.no_grad()  # latents are trained on, which inference tensors refuse
    def encode(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, batch_size: int = 64) -> Float[Tensor, "n c h w"]:
        """Pictures in [0, 1], wherever they are, to scaled latents on the autoencoder's device.

        Raises:
            UserError: The autoencoder is one of a decoder alone.
        """
        if not self.vae.encoder.conv_in.weight.any():
            raise UserError(
                "pictures cannot be encoded: this autoencoder has a decoder alone, as `nas distill decoder` makes "
                "them; train with the model that it was made from, and give the result this decoder"
            )
        with self._out_of_float16(self.vae.device):
            batches = (part.to(self.vae.device, self.vae.dtype) * 2 - 1 for part in pictures.split(batch_size))
            latents = torch.cat([self.vae.encode(batch).latent_dist.mean for batch in batches])
        scale: float = self.vae.config.scaling_factor
        if (statistics := self._statistics(latents)) is None:
            return latents * scale
        mean, std = statistics
        return (latents - mean) * scale / std

    @torch.inference_mode()
    def decode(self, latents: Float[Tensor, "n c h w"], /) -> Float[Tensor, "n 3 h_px w_px"]:
        """Scaled latents to pictures in [0, 1]; what is not finite is NaN."""
        latents = self.unscaled(latents)
        with self._out_of_float16(latents.device):
            pictures: Tensor = self.vae.decode(latents.to(self.vae.dtype)).sample
        pictures = pictures / 2 + 0.5
        return pictures.clamp(0, 1).where(pictures.isfinite(), torch.nan)

    def unscaled(self, latents: Float[Tensor, "n c h w"], /) -> Float[Tensor, "n c h w"]:
        """Scaled latents as the module itself decodes them."""
        scale: float = self.vae.config.scaling_factor
        if (statistics := self._statistics(latents)) is None:
            return latents / scale
        mean, std = statistics
        return latents * std / scale + mean

    def _statistics(
        self, latents: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "1 c 1 1"], Float[Tensor, "1 c 1 1"]] | None:
        """Mean and deviation of every channel, if latents are standardised."""
        mean, std = self.vae.config.latents_mean, self.vae.config.latents_std
        if not self.of_sdxl or mean is None or std is None:
            return None
        return latents.new_tensor(mean).view(1, -1, 1, 1), latents.new_tensor(std).view(1, -1, 1, 1)

    @contextmanager
    def _out_of_float16(self, device: torch.device) -> Iterator[None]:
        """Keep autocast from running a VAE in float16 that overflows there."""
        kind = device.type
        if (
            self.of_sdxl
            and self.vae.config.force_upcast
            and torch.is_autocast_enabled(kind)
            and torch.get_autocast_dtype(kind) is torch.float16
        ):
            with torch.autocast(kind, enabled=False):
                yield
        else:
            yield
