"""CLIP score keeps the laws of scores; a prompt's number is that of its own caption, whatever the batch."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from open_clip.model import CLIP

from nas.evaluation.clip.glimpse import ClipGlimpse
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.clip.model import ClipModel
from nas.evaluation.door import Score
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from nas.testing.scores import CAPTIONS, ScoreLaws
from search_spaces.shapes import OPEN_CLIP_DIR

BATCH_TOLERANCE = 1e-4  # what docs/running_searches.md promises; seen: 3e-7
BUNDLED = str(OPEN_CLIP_DIR)


class TestClipJudge(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(ClipJudge, model=BUNDLED)


SettingOf = Callable[..., ScoreSetting]


@pytest.fixture
def setting_of(small_setting: ScoreSetting) -> SettingOf:
    def of(*, chunk_size: int, num_steps: int = 2) -> ScoreSetting:
        return replace(
            small_setting,
            validation=ValidationSet.from_captions(list(CAPTIONS), seed=0, chunk_size=chunk_size),
            protocol=SamplingProtocol(num_steps=num_steps, guidance_scale=2),
        )

    return of


def test_the_batch_moves_the_last_bits_only(setting_of: SettingOf, unet: UNet2DConditionModel) -> None:
    def scores(chunk_size: int) -> dict[str, float]:
        setting = setting_of(chunk_size=chunk_size, num_steps=4)
        evaluator = Evaluator(setting, score=ClipJudge(setting, model=BUNDLED), reference=unet)
        chunks = range(setting.validation.num_chunks)
        found = (score for chunk in chunks for score in evaluator.evaluate(unet, chunk=chunk).scores)
        return dict(zip((prompt.prompt_id for prompt in setting.validation.prompts), found, strict=True))

    alone, together = scores(1), scores(5)
    assert alone == pytest.approx(together, abs=BATCH_TOLERANCE)
    assert alone.keys() == together.keys()


def test_pictures_are_scored_with_their_own_captions(
    setting_of: SettingOf, clip: ClipModel, unet: UNet2DConditionModel
) -> None:
    setting = setting_of(chunk_size=2)
    judge = ClipJudge(setting, model=BUNDLED)
    judge.start(unet)
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    captions = [prompt.caption for prompt in setting.prompts(1)]
    expected = (clip.embed_pictures(pictures) * clip.embed_captions(captions)).sum(1)
    assert judge.judge(pictures, chunk=1) == pytest.approx(expected.tolist(), abs=1e-6)


def test_its_digest_is_the_content_of_all_that_it_reads(setting_of: SettingOf, tmp_path: Path) -> None:
    setting = setting_of(chunk_size=2)
    before = ClipJudge(setting, model=BUNDLED).digest
    folder = shutil.copytree(OPEN_CLIP_DIR, tmp_path / "clip")
    (folder / "README.md").write_text("a note")
    assert ClipJudge(setting, model=str(folder)).digest == before
    (folder / "merges.txt").write_text((folder / "merges.txt").read_text() + "\n")
    assert ClipJudge(setting, model=str(folder)).digest != before


def test_captions_are_embedded_chunk_by_chunk_when_a_chunk_is_first_judged(
    setting_of: SettingOf, unet: UNet2DConditionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On some processors the batch moves last bits: with other prompts beside it, a chunk had other scores."""
    setting, seen = setting_of(chunk_size=2), []
    encode = CLIP.encode_text

    def counted(model: CLIP, text: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        seen.append(len(text))
        return encode(model, text, normalize=normalize)

    monkeypatch.setattr(CLIP, "encode_text", counted)
    judge, glimpse = ClipJudge(setting, model=BUNDLED), ClipGlimpse(setting, model=BUNDLED)
    for score in (judge, glimpse):
        score.start(unet)
    assert seen == []
    for chunk in (2, 0, 2):
        judge.judge(torch.zeros(len(setting.prompts(chunk)), 3, 64, 64), chunk=chunk)
        glimpse.probe(unet, chunk=chunk)
    assert seen == [1, 1, 2, 2], "the third time nothing is new"
