"""The axes of tensors are checked under pytest, and nowhere else."""

import pytest
import torch
from jaxtyping import TypeCheckError

from nas.pipelines.conditioning import Conditioning
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.training.latent_set import LatentSet
from tests.warm import python

SCHEDULE = NoiseSchedule(alphas_cumprod=torch.linspace(0.9, 0.1, 5), prediction_type="epsilon")
UNCHECKED = """
import torch
from nas.pipelines.noise_schedule import NoiseSchedule
schedule = NoiseSchedule(alphas_cumprod=torch.linspace(0.9, 0.1, 5), prediction_type="epsilon")
schedule.diffuse(torch.zeros(2, 4, 3, 3), torch.zeros(1, 4, 3, 3), torch.zeros(2, dtype=torch.int64))
"""


@pytest.mark.parametrize(
    ("latents", "noise", "timesteps"),
    [
        ((2, 4, 3, 3), (1, 4, 3, 3), (2,)),  # torch would broadcast
        ((2, 4, 3, 3), (2, 4, 3, 3), (1,)),
        ((4, 3, 3), (4, 3, 3), (4,)),
    ],
)
def test_a_wrong_argument_is_caught(
    latents: tuple[int, ...], noise: tuple[int, ...], timesteps: tuple[int, ...]
) -> None:
    with pytest.raises(TypeCheckError, match=r"the parameters of \S+\.NoiseSchedule\.diffuse"):
        SCHEDULE.diffuse(torch.zeros(latents), torch.zeros(noise), torch.zeros(timesteps, dtype=torch.int64))


def test_a_wrong_type_of_numbers_is_caught() -> None:
    with pytest.raises(TypeCheckError):
        SCHEDULE.diffuse(torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 3), torch.zeros(2))


def test_a_wrong_result_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "view", lambda self, *shape: self[:1, None, None, None, None])
    latents = torch.zeros(2, 4, 3, 3)
    with pytest.raises(TypeCheckError, match=r"the return value of \S+\.NoiseSchedule\.diffuse"):
        SCHEDULE.diffuse(latents, latents, torch.zeros(2, dtype=torch.int64))


def test_a_value_of_wrong_tensors_cannot_be_made() -> None:
    captions = Conditioning(embeddings=torch.zeros(1, 3, 4))
    with pytest.raises(TypeCheckError):
        LatentSet(latents=torch.zeros(2, 4, 3, 3), caption_ids=torch.zeros(3, dtype=torch.int64), captions=captions)


def test_users_are_not_checked() -> None:
    done = python(UNCHECKED)
    assert done.returncode == 0, done.stderr
