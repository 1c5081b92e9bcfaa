"""LatentSet: captioned pictures as the UNet sees them, latents and conditioning, with seeded endless batches."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from nas.training.data.batches import JSON, Batch


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

    @property
    def digest(self) -> str:
        """Of their content: latents, captions by the rows that pictures share, and crops."""
        content = hashlib.sha256()
        for part in (self.latents, self.caption_ids, self.captions.embeddings, self.crops):
            if part is not None:
                content.update(part.detach().cpu().contiguous().numpy().tobytes())
        return content.hexdigest()[:16]

    def batches(
        self,
        *,
        seed: int,
        size: int,
        caption_dropout: float,
        start: int = 0,
        position: Mapping[str, JSON] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> Iterator[Batch]:
        """Endless batches; see `nas.training.data.batches`.

        Batch i and its generator depend on the seed and i alone, so a resumed training continues where it stopped.
        Of the seed of torch's generator on a CPU the low 32 bits count.
        """
        step = start
        while True:
            generator = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**64)
            index = torch.randint(len(self.latents), (world * size,), generator=generator)
            empty = torch.rand(world * size, generator=generator) < caption_dropout
            own = slice(rank * size, (rank + 1) * size)
            index, empty = index[own], empty[own]
            text = self.captions[torch.where(empty, 0, self.caption_ids[index])]
            if self.crops is not None:
                text = text.cropped(self.crops[index])
            yield Batch(
                latents=self.latents[index].float(),
                text=text,
                generator=generator,
                pictures=tuple(f"picture {i}" for i in index.tolist()),
                position={},
            )
            step += 1
