"""Output change keeps the laws of scores, is the mean square of what it says, and tells small changes from large."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import fmean
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.door import Score, ScoreError
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.output_change import OutputChange
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from nas.testing.scores import ScoreLaws
from tests.folders import SMALL_SIZE_PX


@pytest.fixture(scope="module")
def setting(small_setting: ScoreSetting) -> ScoreSetting:
    return replace(small_setting, protocol=SamplingProtocol(num_steps=2, guidance_scale=1))


class TestOutputChange(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(OutputChange, num_timesteps=2)


class Shifted(torch.nn.Module):
    """A UNet whose output is another one's plus a constant; counts what it is asked."""

    def __init__(self, unet: UNet2DConditionModel, shift: float) -> None:
        super().__init__()
        self.unet, self.shift, self.num_rows = unet, shift, 0

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **text: Any) -> Any:
        self.num_rows += len(noisy)
        output = self.unet(noisy, timesteps, **text)
        output.sample = output.sample + self.shift
        return output


@pytest.mark.parametrize("num_timesteps", [1, 3])
def test_it_is_the_mean_square_of_the_change(
    setting: ScoreSetting, unet: UNet2DConditionModel, num_timesteps: int
) -> None:
    score, shifted = OutputChange(setting, num_timesteps=num_timesteps), Shifted(unet, 0.5)
    score.start(unet)
    assert score.probe(shifted, chunk=0) == pytest.approx([0.25, 0.25], rel=1e-5)
    assert shifted.num_rows == 2 * score.passes_per_prompt


def test_no_picture_is_drawn_unless_it_is_wanted(setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    evaluator, counted = Evaluator(setting, score=OutputChange(setting), reference=unet), Shifted(unet, 0.0)
    assert evaluator.evaluate(counted, chunk=0).pictures is None
    assert counted.num_rows == 2
    pictures = evaluator.evaluate(counted, chunk=0, with_pictures=True).pictures
    assert pictures is not None
    assert pictures.shape == (2, 3, SMALL_SIZE_PX, SMALL_SIZE_PX)


def test_the_reference_is_the_one_of_the_start_whatever_is_trained_afterwards(
    setting: ScoreSetting, unet: UNet2DConditionModel
) -> None:
    moving = Shifted(unet, 0.0)
    score = OutputChange(setting)
    score.start(moving)
    assert score.probe(moving, chunk=2) == (0.0,)
    moving.shift = 2.0
    assert score.probe(moving, chunk=2) == pytest.approx([4.0], rel=1e-5)


def test_a_prompt_keeps_its_number_in_another_set(setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    """Noise and timesteps belong to the prompt, so that searches with more prompts share what they have in common."""
    fewer = replace(setting, validation=ValidationSet(prompts=setting.validation.prompts[:2], chunk_size=2))
    whole, part = OutputChange(setting), OutputChange(fewer)
    whole.start(unet)
    part.start(unet)
    removed = Shifted(unet, 0.1)
    assert whole.probe(removed, chunk=0) == part.probe(removed, chunk=0)


def test_more_of_a_change_is_further_away(setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    score = OutputChange(setting)
    score.start(unet)
    distances = [fmean(score.probe(Shifted(unet, shift), chunk=0)) for shift in (0.0, 0.01, 0.1, 1.0)]
    assert distances == sorted(distances)
    assert distances[0] == 0


def test_its_digest_knows_its_settings(setting: ScoreSetting) -> None:
    assert OutputChange(setting, num_timesteps=2).digest != OutputChange(setting).digest


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_number_of_timesteps_that_is_none_is_refused(setting: ScoreSetting, wrong: Any) -> None:
    with pytest.raises(ScoreError, match=r"`num_timesteps` of output_change must be an integer of at least 1, but got"):
        OutputChange(setting, num_timesteps=wrong)
