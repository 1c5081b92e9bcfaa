"""Clip change keeps the laws of scores, and is what CLIP sees of pictures that one pass has in mind."""

from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.clip.change import ClipChange
from nas.evaluation.clip.glimpses import AMONG
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.door import Score, ScoreError
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from nas.testing.scores import ScoreLaws
from search_spaces.shapes import OPEN_CLIP_DIR

BUNDLED = str(OPEN_CLIP_DIR)


class TestClipChange(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(ClipChange, model=BUNDLED)


class Shifted(torch.nn.Module):
    """A UNet whose output is another one's plus a constant."""

    def __init__(self, unet: UNet2DConditionModel, shift: float) -> None:
        super().__init__()
        self.unet, self.shift = unet, shift

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **text: Any) -> Any:
        output = self.unet(noisy, timesteps, **text)
        output.sample = output.sample + self.shift
        return output


def test_it_is_one_minus_the_cosine_of_what_clip_sees(small_setting: ScoreSetting, unet: UNet2DConditionModel) -> None:
    score, shifted = ClipChange(small_setting, model=BUNDLED), Shifted(unet, 0.3)
    score.start(unet)
    questions = Questions(small_setting, num_timesteps=1, of="a test", among=AMONG)
    questions.draw(unet)
    (question,) = questions.of(0)
    assert set(question.timesteps.tolist()) <= {249, 499, 749}

    def seen(network: torch.nn.Module) -> torch.Tensor:
        with torch.inference_mode():
            clean = questions.schedule.clean(
                question.noisy, questions.answer(network, question), timesteps=question.timesteps
            )
            return ClipModel(BUNDLED).embed_pictures(small_setting.autoencoder.decode(clean))

    expected = 1 - (seen(unet) * seen(shifted)).sum(dim=1)
    assert score.probe(shifted, chunk=0) == pytest.approx(expected.tolist(), abs=1e-6)
    assert fmean(score.probe(shifted, chunk=0)) > 1e-4
    score.refer(shifted)
    assert set(score.probe(shifted, chunk=0)) == {0.0}, "whatever it refers to has exactly nothing"


def test_it_says_what_it_depends_on(small_setting: ScoreSetting) -> None:
    digests = {
        ClipChange(small_setting, model=BUNDLED, **settings).digest
        for settings in ({}, {"num_timesteps": 2}, {"reference": "round"})
    }
    assert len(digests) == 3
    with pytest.raises(ScoreError, match=r"`num_timesteps` of clip_change must be an integer of at least 1, but got 0"):
        ClipChange(small_setting, model=BUNDLED, num_timesteps=0)
