"""Robust training: the law of the draws, the forward process, and weights that a seed determines."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from nas.pipelines.conditioning import Conditioning
from nas.training.latent_set import LatentSet
from nas.training.noise_schedule import NoiseSchedule
from nas.training.robust import train
from nas.training.settings import RobustTrainingSettings
from search_spaces import Action, Architecture, space_from_config
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


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("zero_snr", [False, True])
def test_the_forward_process_is_diffusers(prediction_type: str, zero_snr: bool) -> None:
    scheduler = DDIMScheduler(prediction_type=prediction_type, rescale_betas_zero_snr=zero_snr)
    schedule = NoiseSchedule(alphas_cumprod=scheduler.alphas_cumprod, prediction_type=prediction_type)
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 5, 4, 3, 3, generator=generator)
    timesteps = torch.tensor([0, 1, 500, 998, 999])
    noisy, target = schedule.diffuse(latents, noise, timesteps)
    assert torch.allclose(noisy, scheduler.add_noise(latents, noise, timesteps), atol=1e-6)
    expected = {
        "epsilon": noise,
        "sample": latents,
        "v_prediction": scheduler.get_velocity(latents, noise, timesteps),
    }
    assert torch.allclose(target, expected[prediction_type], atol=1e-6)


def test_an_unknown_prediction_is_refused() -> None:
    schedule = NoiseSchedule(alphas_cumprod=torch.tensor([0.5]), prediction_type="flow")
    with pytest.raises(ValueError, match="must be epsilon, v_prediction or sample, but got 'flow'"):
        schedule.diffuse(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([0]))


@pytest.fixture(scope="module")
def tiny() -> UNet2DConditionModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DConditionModel(**TINY)


@pytest.fixture(scope="module")
def pictures() -> LatentSet:
    generator = torch.Generator().manual_seed(1)
    return LatentSet(
        latents=torch.randn(4, 4, 8, 8, generator=generator),
        caption_ids=torch.tensor([1, 2, 1, 2]),
        captions=Conditioning(embeddings=torch.randn(3, 5, 8, generator=generator)),
    )


SCHEDULE = NoiseSchedule(alphas_cumprod=DDIMScheduler().alphas_cumprod, prediction_type="v_prediction")
SETTINGS = RobustTrainingSettings(drop_probability=0.3, batch_size=4, learning_rate=2e-3)


def trained(
    tiny: UNet2DConditionModel, pictures: LatentSet, settings: RobustTrainingSettings = SETTINGS, *, num: int, seed: int
) -> tuple[Supernet, list[float]]:
    supernet = Supernet(copy.deepcopy(tiny), space=space_from_config(TINY))
    losses = train(supernet, data=pictures, schedule=SCHEDULE, settings=settings, num_iterations=num, seed=seed)
    return supernet, losses


def test_the_same_call_gives_the_same_bits(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    (one, losses_one), (two, losses_two) = (trained(tiny, pictures, num=4, seed=3) for _ in range(2))
    assert losses_one == losses_two
    assert all(torch.equal(weight, two.weights()[name]) for name, weight in one.weights().items())
    other, _ = trained(tiny, pictures, num=4, seed=4)
    assert not all(torch.equal(weight, other.weights()[name]) for name, weight in one.weights().items())


def test_global_randomness_has_no_part_in_it(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    _, before = trained(tiny, pictures, num=2, seed=3)
    torch.manual_seed(1234)
    np.random.default_rng().random()
    assert trained(tiny, pictures, num=2, seed=3)[1] == before


def test_the_loss_falls(tiny: UNet2DConditionModel) -> None:
    one = LatentSet(
        latents=torch.full((1, 4, 8, 8), 0.5),
        caption_ids=torch.tensor([0]),
        captions=Conditioning(embeddings=torch.zeros(1, 5, 8)),
    )
    schedule = replace(SCHEDULE, prediction_type="sample")
    losses = train(
        Supernet(copy.deepcopy(tiny), space=space_from_config(TINY)),
        data=one,
        schedule=schedule,
        settings=replace(SETTINGS, drop_probability=0.1),
        num_iterations=30,
        seed=0,
    )
    assert np.mean(losses[-5:]) < 0.3 * np.mean(losses[:5])


def test_training_leaves_the_architecture_current_and_the_unet_ready(
    tiny: UNet2DConditionModel, pictures: LatentSet
) -> None:
    supernet, losses = trained(tiny, pictures, num=3, seed=0)
    assert supernet.architecture == supernet.space.base
    assert not supernet.unet.training
    assert len(losses) == 3


def test_every_step_is_told(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    told: list[tuple[int, float]] = []
    supernet = Supernet(copy.deepcopy(tiny), space=space_from_config(TINY))
    losses = train(
        supernet,
        data=pictures,
        schedule=SCHEDULE,
        settings=SETTINGS,
        num_iterations=2,
        seed=0,
        on_step=lambda step, loss: told.append((step, loss)),
    )
    assert told == [(1, losses[0]), (2, losses[1])]


def test_a_removed_block_is_not_trained(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    supernet = Supernet(copy.deepcopy(tiny), space=space_from_config(TINY))
    before = {name: weight.clone() for name, weight in supernet.weights().items()}
    supernet.switch(Action.parse("-resnet[mid,1]").apply(supernet.space.base))
    train(supernet, data=pictures, schedule=SCHEDULE, settings=SETTINGS, num_iterations=3, seed=0)
    changed = {name for name, weight in supernet.weights().items() if not torch.equal(weight, before[name])}
    assert changed
    assert not any(name.startswith("mid_block.resnets.1.") for name in changed)


class Watched(Supernet):
    """Remembers every architecture that it computed."""

    def switch(self, architecture: Architecture, /) -> None:
        super().switch(architecture)
        self.seen = [*getattr(self, "seen", []), architecture]


def test_training_never_skips_a_protected_block(tiny: UNet2DConditionModel, pictures: LatentSet) -> None:
    supernet = Watched(copy.deepcopy(tiny), space=space_from_config(TINY))
    base = supernet.space.base
    first, *others = supernet.space.removals(base)
    settings, protected = replace(SETTINGS, drop_probability=0.9), frozenset(str(action)[1:] for action in others)
    train(supernet, data=pictures, schedule=SCHEDULE, settings=settings, protected=protected, num_iterations=8, seed=0)
    assert set(supernet.seen) == {base, first.apply(base)}, "only the block that nobody protects is skipped"
