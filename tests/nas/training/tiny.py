"""A tiny UNet and tiny pictures that training is tried on: nothing is loaded, and a step takes milliseconds."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.data.batches import JSON, Batch
from nas.training.latent_set import LatentSet
from nas.training.settings import RobustTrainingSettings
from search_spaces import space_from_config
from search_spaces.supernet import Supernet

TINY = {
    "sample_size": 8,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 8,
    "norm_num_groups": 4,
}
SCHEDULE = NoiseSchedule(alphas_cumprod=DDIMScheduler().alphas_cumprod, prediction_type="v_prediction")
SETTINGS = RobustTrainingSettings(drop_probability=0.3, batch_size=4, learning_rate=2e-3)


def tiny_unet(**config: object) -> UNet2DConditionModel:
    """The same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DConditionModel(**TINY | config)


def supernet_of(unet: UNet2DConditionModel) -> Supernet:
    """A supernet of a copy of a UNet."""
    return Supernet(copy.deepcopy(unet), space=space_from_config(TINY))


def tiny_pictures() -> LatentSet:
    """Four pictures with two captions."""
    generator = torch.Generator().manual_seed(1)
    return LatentSet(
        latents=torch.randn(4, 4, 8, 8, generator=generator),
        caption_ids=torch.tensor([1, 2, 1, 2]),
        captions=Conditioning(embeddings=torch.randn(3, 5, 8, generator=generator)),
    )


@dataclass(frozen=True)
class Stream:
    """Pictures that come one after the other: where they go on is known by the position alone."""

    pictures: LatentSet

    @property
    def digest(self) -> str:
        return self.pictures.digest

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
        begin = 0 if position is None else position["next"]
        every = self.pictures.batches(
            seed=seed, size=size, caption_dropout=caption_dropout, start=begin, rank=rank, world=world
        )
        for number, batch in enumerate(every, begin):
            yield replace(batch, position={"next": number + 1})


@dataclass(frozen=True)
class Rank:
    """A process of several, whose means are taken by the test."""

    rank: int
    world: int

    def average(self, tensors: Sequence[Tensor], /) -> None:
        assert all(isinstance(tensor, Tensor) for tensor in tensors)

    def gathered(self, names: Sequence[str], /) -> list[str]:
        return list(names)
