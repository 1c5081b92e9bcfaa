"""Clip glimpse: the CLIP score of the pictures that a UNet has in mind after one pass, instead of those that it draws.

A picture costs a pass per step and branch of guidance; a glimpse costs one. Every prompt is looked at three times, at a
quarter, a half and three quarters of the noise, and the number is the mean cosine to the caption. Losses of it follow
the losses of drawn pictures, with their sign, so that it may decide for them (docs/decisions_under_noise.md); how good
a model is it does not say, since the base model's own pictures shine through the noise.
"""

from functools import cached_property
from typing import Final

import torch

from nas.evaluation.clip.glimpses import AMONG, Glimpses
from nas.evaluation.clip.model import check_clip_name, clip_digest
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP_GLIMPSE
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class ClipGlimpse:
    """CLIP scores of pictures of one pass.

    Args:
        setting: The prompts, and how the base model's pictures are made.
        model: A local OpenCLIP folder, or an OpenCLIP model name; the one of the section `clip` where it screens.
        pretrained: OpenCLIP's tag of the weights, or a safetensors file; needed with a name, none with a folder.

    Raises:
        ValueError: The folder is not an OpenCLIP folder that stands for itself, or a name comes without a tag.
    """

    name = CLIP_GLIMPSE
    unit = "cosine"
    higher_is_better = True
    is_distance = False
    passes_per_prompt = len(AMONG)

    def __init__(self, setting: ScoreSetting, /, *, model: str, pretrained: str | None = None) -> None:
        check_clip_name(model, pretrained=pretrained)
        self._setting, self._model, self._pretrained = setting, model, pretrained
        self._questions = Questions(setting, num_timesteps=len(AMONG), of=self.name, among=AMONG, in_turn=True)
        self.passes_to_start = self._questions.passes_to_draw

    @cached_property
    def digest(self) -> str:
        """Content of CLIP, and the rule."""
        return digest_of({"rule": RULE, "clip": clip_digest(self._model, pretrained=self._pretrained)})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Load CLIP, embed the captions, and have the base model draw what is noised."""
        self._glimpses = Glimpses(self._setting, self._questions, model=self._model, pretrained=self._pretrained)
        captions = [prompt.caption for prompt in self._setting.validation.prompts]
        self._text_features = self._glimpses.clip.embed_captions(captions)
        self._questions.draw(reference)

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """Mean CLIP score of what is seen of every prompt of a chunk."""
        text = self._text_features[self._setting.rows(chunk)]
        scores = [(self._glimpses.seen(unet, question) * text).sum(dim=1) for question in self._questions.of(chunk)]
        return tuple(torch.stack(scores).double().mean(dim=0).tolist())
