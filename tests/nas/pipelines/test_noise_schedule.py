"""The forward process is that of diffusers."""

import pytest
import torch
from diffusers import DDIMScheduler

from nas.pipelines.noise_schedule import NoiseSchedule


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("zero_snr", [False, True])
def test_the_forward_process_is_diffusers(prediction_type: str, zero_snr: bool) -> None:
    scheduler = DDIMScheduler(prediction_type=prediction_type, rescale_betas_zero_snr=zero_snr)
    schedule = NoiseSchedule.of(scheduler)
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


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_what_is_noised_and_answered_rightly_comes_clean(prediction_type: str) -> None:
    schedule = NoiseSchedule.of(DDIMScheduler(prediction_type=prediction_type))
    latents, noise = torch.randn(2, 4, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    timesteps = torch.tensor([0, 1, 500, 998])
    noisy, target = schedule.diffuse(latents, noise, timesteps)
    assert torch.allclose(schedule.clean(noisy, target, timesteps=timesteps), latents, atol=1e-4)
