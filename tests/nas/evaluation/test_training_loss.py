"""The training loss keeps the laws of scores, and is the error of what training asks for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.door import Score
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.training_loss import TrainingLoss
from nas.testing.scores import ScoreLaws


class TestTrainingLoss(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return TrainingLoss


class Knowing(torch.nn.Module):
    """Answers what training would have it answer, but for a constant."""

    def __init__(self, questions: Questions, unet: UNet2DConditionModel, error: float) -> None:
        super().__init__()
        self.questions, self.unet, self.error = questions, unet, error

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **text: Any) -> Any:
        output = self.unet(noisy, timesteps, **text)
        for question in self.questions.of(0):
            if torch.equal(question.noisy, noisy):
                output.sample = question.target + self.error
        return output


def test_who_predicts_the_noise_has_no_loss(small_setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    score, questions = TrainingLoss(small_setting), Questions(small_setting, num_timesteps=4, of="test")
    score.start(unet)
    questions.draw(unet)
    assert score.probe(Knowing(questions, unet, 0.0), chunk=0) == (0.0, 0.0)
    assert score.probe(Knowing(questions, unet, 0.5), chunk=0) == pytest.approx((0.25, 0.25), rel=1e-5)
