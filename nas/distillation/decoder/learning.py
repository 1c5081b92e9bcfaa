"""What a small decoder learns: the pictures that the large one makes of the same latents (SnapFusion, section 3.3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.conditioning import Conditioning
from nas.training.latent_set import LatentSet
from nas.training.objective import Computing, Draws


@dataclass(frozen=True, slots=True)
class Fixed:
    """The one architecture of a module that has but one.

    Attributes:
        arch_id: Digest of its config.
    """

    arch_id: str

    def positions(self) -> tuple[()]:
        """No block of it is ever skipped."""
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class DecoderTrainee:
    """The decoder of an autoencoder, as what is trained.

    Attributes:
        module: The autoencoder; of its weights those of the decoder are trained.
        architecture: Its only one.
    """

    module: AutoencoderKL
    architecture: Fixed

    def switch(self, architecture: Any, /) -> None:
        """Nothing: there is but one."""

    @contextmanager
    def switched(self, architecture: Any, /) -> Iterator[AutoencoderKL]:
        """The autoencoder."""
        yield self.module

    def all_parameters(self) -> list[nn.Parameter]:
        """Those of the decoder."""
        return list(self.named_parameters(self.architecture).values())

    def named_parameters(self, architecture: Any, /) -> dict[str, nn.Parameter]:
        """Those of the decoder, and of the convolution before it, where there is one."""
        own = ("decoder.", "post_quant_conv.")
        return {name: each for name, each in self.module.named_parameters() if name.startswith(own)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SamePictures:
    """An objective: the teacher's pictures, by their mean squared error.

    Attributes:
        teacher: The large autoencoder.
    """

    teacher: Autoencoder

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """Nothing: which latents a step has, its batch says."""
        return {}

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> "PictureExercise":
        """The teacher's pictures of latents."""
        z = self.teacher.unscaled(latents)
        with torch.no_grad(), computing():
            pictures = self.teacher.vae.decode(z).sample.float()
        return PictureExercise(z=z, pictures=pictures)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureExercise:
    """Latents, and the teacher's pictures of them.

    Attributes:
        z: As a decoder takes them.
        pictures: In [-1, 1], unclamped.
    """

    z: Float[Tensor, "n c h w"]
    pictures: Float[Tensor, "n 3 h_px w_px"]

    def loss(self, trainee: DecoderTrainee, /, *, computing: Computing) -> Float[Tensor, ""]:
        """The mean squared error."""
        with computing():
            pictures = trainee.module.decode(self.z).sample
        return F.mse_loss(pictures.float(), self.pictures)


def as_data(latents: Float[Tensor, "n c h w"], /) -> LatentSet:
    """Latents without captions as the data of a training."""
    return LatentSet(
        latents=latents,
        caption_ids=torch.zeros(len(latents), dtype=torch.int64),
        captions=Conditioning(embeddings=torch.zeros(1, 1, 1)),
    )
