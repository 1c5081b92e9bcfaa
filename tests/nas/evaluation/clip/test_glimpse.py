"""Clip glimpse keeps the laws of scores, and is the CLIP score of pictures that one pass has in mind."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.clip.glimpse import ClipGlimpse
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.door import Score
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.testing.scores import ScoreLaws
from search_spaces.shapes import OPEN_CLIP_DIR

BUNDLED = str(OPEN_CLIP_DIR)


class TestClipGlimpse(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(ClipGlimpse, model=BUNDLED)


class AllKnowing(torch.nn.Module):
    """A UNet that answers what training wants: the picture it has in mind is the one that was noised."""

    def __init__(self, answers: dict[int, torch.Tensor]) -> None:
        super().__init__()
        self.answers, self.anchor = answers, torch.nn.Parameter(torch.zeros(1))

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **text: object) -> object:
        del noisy, text
        return type("Output", (), {"sample": self.answers[int(timesteps[0])]})()


def test_who_knows_the_answers_scores_what_the_pictures_score(
    small_setting: ScoreSetting, unet: UNet2DConditionModel
) -> None:
    score, clip = ClipGlimpse(small_setting, model=BUNDLED), ClipModel(BUNDLED)
    score.start(unet)
    questions = score._questions.of(0)
    assert [set(each.timesteps.tolist()) for each in questions] == [{249}, {499}, {749}], "each share in its turn"
    knows = AllKnowing({int(each.timesteps[0]): each.target for each in questions})
    pictures = small_setting.autoencoder.decode(Drawer(small_setting).latents(unet, chunk=0).float())
    with torch.inference_mode():
        captions = clip.embed_captions([prompt.caption for prompt in small_setting.prompts(0)])
        drawn = (clip.embed_pictures(pictures) * captions).sum(dim=1)
    assert score.probe(knows, chunk=0) == pytest.approx(drawn.tolist(), abs=1e-4)
    assert score.probe(unet, chunk=0) != pytest.approx(drawn.tolist(), abs=1e-4)
