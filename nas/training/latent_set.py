"""LatentSet: captioned pictures as the UNet sees them, latents and conditioning, with seeded endless batches."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.pipelines.conditioning import Conditioning


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentSet:
    """Encoded pictures and their captions.

    Attributes:
        latents: Scaled to about unit variance as the UNet expects.
        caption_ids: Rows of `captions`.
        captions: Of m captions; row 0 is the empty one.
        crops: Of every picture, where it was cut out, in pixels from above and from the left; None = nothing was cut.
    """

    latents: Float[Tensor, "n c h w"]
    caption_ids: Int[Tensor, " n"]
    captions: Conditioning
    crops: Int[Tensor, "n 2"] | None = None

    def batches(
        self, *, seed: int, size: int, caption_dropout: float, start: int = 0
    ) -> Iterator[tuple[Float[Tensor, "size c h w"], Conditioning, torch.Generator]]:
        """Endless (latents, conditioning, generator).

        Batch i and its generator depend on the seed and i alone, so a resumed training continues where it stopped.
        Of the seed of torch's generator on a CPU the low 32 bits count.
        """
        step = start
        while True:
            generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**64)
            index = torch.randint(len(self.latents), (size,), generator=generator)
            captions = self.caption_ids[index]
            empty = torch.rand(size, generator=generator) < caption_dropout
            text = self.captions[torch.where(empty, 0, captions)]
            if self.crops is not None:
                text = text.cropped(self.crops[index])
            yield self.latents[index].float(), text, generator
            step += 1
