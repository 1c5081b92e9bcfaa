"""Pictures of a chunk: colours of the right size, and as many UNet passes as a setting counts."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.shapes import PIPELINE_DIR

SETTING = ScoreSetting(
    model=ModelFolder(PIPELINE_DIR),
    validation=ValidationSet.from_captions(["a red circle", "a green ring", "a ring"], seed=0, chunk_size=2),
    protocol=SamplingProtocol(num_steps=5, guidance_scale=2),
    latent_shape=(4, 16, 16),
)


def test_pictures_are_colours(unet: UNet2DConditionModel) -> None:
    pictures = Drawer(SETTING).pictures(unet, chunk=1)
    assert pictures.shape == (1, 3, 64, 64)
    assert pictures.dtype == torch.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
@pytest.mark.parametrize("scheduler", DETERMINISTIC_SCHEDULERS)
def test_the_passes_of_a_picture_are_those_that_the_unet_makes(
    unet: UNet2DConditionModel, scheduler: Any, guidance_scale: float
) -> None:
    protocol = SamplingProtocol(num_steps=5, guidance_scale=guidance_scale, scheduler=scheduler)
    setting = replace(SETTING, protocol=protocol)
    rows = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal rows
        rows += len(inputs[0])

    with unet.register_forward_pre_hook(count):
        Drawer(setting).latents(unet, chunk=0)
    assert rows == 2 * setting.passes_per_picture
