"""Clip glimpse keeps the laws of scores, and is the CLIP score of pictures that one pass has in mind."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.evaluation.clip.glimpse import ClipGlimpse
from nas.evaluation.clip.glimpses import AMONG
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.door import Score, ScoreError
from nas.evaluation.pictures import Drawer
from nas.evaluation.questions import Question, Questions
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

    def __init__(self, answers: dict[tuple[int, int], torch.Tensor]) -> None:
        super().__init__()
        self.answers, self.anchor = answers, torch.nn.Parameter(torch.zeros(1))

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor, **text: object) -> object:
        del text
        return type("Output", (), {"sample": self.answers[len(noisy), int(timesteps[0])]})()


def test_it_is_the_loss_of_what_clip_sees_and_half_of_the_distance(
    small_setting: ScoreSetting, unet: UNet2DConditionModel
) -> None:
    score, clip = ClipGlimpse(small_setting, model=BUNDLED), ClipModel(BUNDLED)
    score.start(unet)
    assert set(score.probe(unet, chunk=0)) == {0.0}
    questions = Questions(small_setting, num_timesteps=3, of="a test", among=AMONG, in_turn=True)
    questions.draw(unet)
    asked = questions.of(0)
    assert [set(each.timesteps.tolist()) for each in asked] == [{249}, {499}, {749}], "each share in its turn"

    def seen(question: Question) -> torch.Tensor:
        answer = questions.answer(unet, question)
        clean = questions.schedule.clean(question.noisy, answer, timesteps=question.timesteps)
        return clip.embed_pictures(small_setting.autoencoder.decode(clean)).double()

    with torch.inference_mode():
        captions = clip.embed_captions([prompt.caption for prompt in small_setting.prompts(0)]).double()
        drawn = small_setting.autoencoder.decode(Drawer(small_setting).latents(unet, chunk=0).float())
        best = clip.embed_pictures(drawn).double()  # of who knows the answers: the picture that was noised
        lost = torch.stack([((seen(each) - best) * captions).sum(dim=1) for each in asked])
        distances = torch.stack([1 - (seen(each) * best).sum(dim=1) for each in asked])
    chunks = [*questions][::-1]  # of two as long as each other the first one's answers stay
    knows = AllKnowing({(len(q.noisy), int(q.timesteps[0])): q.target for chunk in chunks for q in chunk})
    found = score.probe(knows, chunk=0)
    assert found == pytest.approx((lost + distances / 2).mean(dim=0).tolist(), abs=1e-4)
    assert max(map(abs, found)) > 1e-3
    score.refer(knows)
    assert set(score.probe(knows, chunk=0)) == {0.0}, "whatever it refers to has lost nothing"


def test_it_says_what_it_depends_on(small_setting: ScoreSetting) -> None:
    digests = {ClipGlimpse(small_setting, model=BUNDLED, **each).digest for each in ({}, {"reference": "round"})}
    assert len(digests) == 2
    with pytest.raises(ScoreError, match="`reference` of clip_glimpse must be model or round, but got 'me'"):
        ClipGlimpse(small_setting, model=BUNDLED, reference="me")
