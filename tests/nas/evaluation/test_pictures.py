"""Pictures of a chunk: colours of the right size, and as many UNet passes as a setting counts."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from nas.scores.prompts import ValidationSet
from tests.folders import SMALL_SIZE_PX


@pytest.fixture(scope="module")
def setting(small_setting: ScoreSetting) -> ScoreSetting:
    validation = ValidationSet.from_captions(["a red circle", "a green ring", "a ring"], seed=0, chunk_size=2)
    return replace(small_setting, validation=validation, protocol=SamplingProtocol(num_steps=5, guidance_scale=2))


def test_pictures_are_colours(setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    pictures = Drawer(setting).pictures(unet, chunk=1)
    assert pictures.shape == (1, 3, SMALL_SIZE_PX, SMALL_SIZE_PX)
    assert pictures.dtype == torch.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0])
@pytest.mark.parametrize("scheduler", DETERMINISTIC_SCHEDULERS)
def test_the_passes_of_a_picture_are_those_that_the_unet_makes(
    setting: ScoreSetting, unet: UNet2DConditionModel, scheduler: Any, guidance_scale: float
) -> None:
    protocol = SamplingProtocol(num_steps=5, guidance_scale=guidance_scale, scheduler=scheduler)
    setting = replace(setting, protocol=protocol)
    rows = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal rows
        rows += len(inputs[0])

    with unet.register_forward_pre_hook(count):
        Drawer(setting).latents(unet, chunk=0)
    assert rows == 2 * setting.passes_per_picture
