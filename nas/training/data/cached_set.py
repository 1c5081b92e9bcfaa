"""CachedSet: batches of a set that was encoded once, read from its shards where they lie."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from nas.training.data.batches import JSON, Batch
from nas.training.data.encoding_once import Contents
from nas.training.data.shards import mapped, shard_path, unpacked


def step_generator(*, seed: int, step: int) -> torch.Generator:
    """The generator of one step of a training, on the CPU; of its seed the low 32 bits count."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**64)


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSet:
    """An encoded set on the disk.

    Attributes:
        folder: Of its shards.
        contents: What they hold.
        digest: Of the set, the encoders and the size.
        size_px: Height and width of pictures, which a UNet may be told.
    """

    folder: Path
    contents: Contents
    digest: str
    size_px: tuple[int, int]
    _picture_ends: list[int] = field(init=False, repr=False, compare=False)
    _caption_ends: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_picture_ends", list(accumulate(self.contents.num_pictures)))
        object.__setattr__(self, "_caption_ends", list(accumulate(self.contents.num_captions)))

    def __len__(self) -> int:
        """Pictures."""
        return self._picture_ends[-1]

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

        Batch i and its generator depend on the seed and i alone, so that no position is needed.
        """
        step, own = start, slice(rank * size, (rank + 1) * size)
        while True:
            generator = step_generator(seed=seed, step=step)
            index = torch.randint(len(self), (world * size,), generator=generator)
            which = (
                torch.rand(world * size, generator=generator) if self.contents.several else torch.zeros(world * size)
            )
            empty = torch.rand(world * size, generator=generator) < caption_dropout
            yield self._batch(index[own].tolist(), which[own].tolist(), empty[own].tolist(), generator)
            step += 1

    def _batch(
        self, index: Sequence[int], which: Sequence[float], empty: Sequence[bool], generator: torch.Generator
    ) -> Batch:
        latents, crops, captions, names = list[Tensor](), list[Tensor](), list[int](), list[str]()
        for picture, choice, is_empty in zip(index, which, empty, strict=True):
            shard, row = self._place(self._picture_ends, picture)
            latents.append(shard["latents"][row])
            crops.append(shard["crops"][row])
            names.append(unpacked(shard["names"], shard["name_ends"], index=row))
            ends = shard["caption_ends"]
            first, end = int(ends[row - 1]) if row else 0, int(ends[row])
            captions.append(0 if is_empty else int(shard["caption_ids"][first + int(choice * (end - first))]))
        return Batch(
            latents=torch.stack(latents).float(),
            text=self._text(captions).cropped(torch.stack(crops)),
            generator=generator,
            pictures=tuple(names),
            position={},
        )

    def _text(self, captions: Sequence[int]) -> Conditioning:
        places = [self._place(self._caption_ends, caption) for caption in captions]
        embeddings = torch.stack([shard["embeddings"][row] for shard, row in places]).float()
        if "pooled" not in places[0][0]:
            return Conditioning(embeddings=embeddings)
        time_ids = torch.tensor([*self.size_px, 0, 0, *self.size_px], dtype=torch.float32)
        return Conditioning(
            embeddings=embeddings,
            pooled=torch.stack([shard["pooled"][row] for shard, row in places]).float(),
            time_ids=time_ids.repeat(len(places), 1),
        )

    def _place(self, ends: Sequence[int], number: int) -> tuple[Mapping[str, Tensor], int]:
        """The shard that holds a picture, or a caption, of a number, and its row there."""
        index = bisect_right(ends, number)
        return mapped(shard_path(self.folder, index)), number - (ends[index - 1] if index else 0)
