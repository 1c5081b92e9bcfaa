"""Drawer: the pictures that a UNet makes of a chunk's prompts, the same bits for the same UNet, chunk and threads."""

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.setting import ScoreSetting
from nas.pipelines.sampling import sample_latents


class Drawer:
    """Draws by a setting's protocol; what it needs is loaded here, but captions are embedded for the first picture."""

    def __init__(self, setting: ScoreSetting, /) -> None:
        self._setting, self._scheduler = setting, setting.scheduler()
        self._autoencoder, self._empty = setting.autoencoder, setting.empty

    def latents(self, unet: torch.nn.Module, /, *, chunk: int) -> Float[Tensor, "n c h w"]:
        """Latents of a chunk's pictures."""
        with self._setting.execution.autocast():
            return sample_latents(
                unet,
                scheduler=self._scheduler,
                protocol=self._setting.protocol,
                noise=self._setting.noise(chunk),
                text=self._setting.conditioning(chunk),
                empty=self._empty,
            )

    def pictures(self, unet: torch.nn.Module, /, *, chunk: int) -> Float[Tensor, "n 3 h_px w_px"]:
        """Pictures in [0, 1] of a chunk's prompts."""
        return self.decoded(self.latents(unet, chunk=chunk))

    def decoded(self, latents: Float[Tensor, "n c h w"], /) -> Float[Tensor, "n 3 h_px w_px"]:
        """Pictures in [0, 1] of latents; what is not finite is NaN."""
        with self._setting.execution.autocast():
            return self._autoencoder.decode(latents).float()


def as_bytes(pictures: Float[Tensor, "n 3 h_px w_px"], /) -> npt.NDArray[np.uint8]:
    """Pictures in [0, 1] as uint8 (n, h, w, 3); what is no number is black."""
    rounded = (pictures.nan_to_num(0) * 255).round().to(torch.uint8)
    array: npt.NDArray[np.uint8] = rounded.permute(0, 2, 3, 1).cpu().numpy()
    return array
