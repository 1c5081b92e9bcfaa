"""Clip glimpse: CLIP score lost in the pictures that a UNet has in mind after one pass, instead of those that it draws.

A picture costs a pass per step and branch of guidance; a glimpse costs one. Every prompt is looked at three times, at a
quarter, a half and three quarters of the noise. CLIP's views are unit vectors: where an action moves the view f of a
picture by delta, a caption t loses

    -delta.t = (f.t) |delta|^2 / 2 + what of delta lies across f, against t

The first part is never negative and is known well from few captions; the second is large on every caption, helps nearly
as often as it harms, and is small on average. The number is the loss plus half of |delta|^2 / 2, so that what
is known well weighs more: docs/decisions_under_noise.md has what that is worth.
"""

from functools import cached_property
from typing import Final

import torch

from nas.evaluation.clip.glimpses import AMONG, Glimpses
from nas.evaluation.clip.model import check_clip_name, clip_digest
from nas.evaluation.clip.text_features import TextFeatures
from nas.evaluation.door import Reference, reference_named
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP_GLIMPSE
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers
SHARE: Final = 0.5  # of |delta|^2 / 2 that is added to the loss


class ClipGlimpse:
    """CLIP score lost in pictures of one pass, and half of 1 - cosine to the reference's.

    Args:
        setting: The prompts, and how pictures are made.
        model: A local OpenCLIP folder, or an OpenCLIP model name; the one of the section `clip` where it screens.
        pretrained: OpenCLIP's tag of the weights, or a safetensors file; needed with a name, none with a folder.
        reference: "model", the base model in its own weights, or "round", the network before the action.

    Raises:
        ScoreError: There is no such reference.
        ValueError: The folder is not an OpenCLIP folder that stands for itself, or a name comes without a tag.
    """

    name = CLIP_GLIMPSE
    unit = "cosine lost"
    higher_is_better = False
    is_distance = False  # what helps may be negative
    passes_per_prompt = len(AMONG)

    def __init__(
        self,
        setting: ScoreSetting,
        /,
        *,
        model: str,
        pretrained: str | None = None,
        reference: str = str(Reference.MODEL),
    ) -> None:
        check_clip_name(model, pretrained=pretrained)
        self._setting, self._model, self._pretrained = setting, model, pretrained
        self._questions = Questions(setting, num_timesteps=len(AMONG), of=self.name, among=AMONG, in_turn=True)
        self.reference = reference_named(reference, of=self.name)
        self.passes_to_refer = self.passes_per_prompt
        self.passes_to_start = self._questions.passes_to_draw + self.passes_per_prompt

    @cached_property
    def digest(self) -> str:
        """Content of CLIP, and the settings."""
        clip = clip_digest(self._model, pretrained=self._pretrained)
        return digest_of({"rule": RULE, "clip": clip, "reference": str(self.reference)})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Load CLIP, have the base model draw what is noised, and look at its answers."""
        self._glimpses = Glimpses(self._setting, self._questions, model=self._model, pretrained=self._pretrained)
        self._text_features = TextFeatures(self._glimpses.clip, self._setting)
        self._questions.draw(reference)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Keep what is seen of another network's answers."""
        self._seen = [[self._glimpses.seen(reference, each) for each in questions] for questions in self._questions]

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """What is lost on every prompt of a chunk."""
        text = self._text_features.of(chunk).double()
        losses = []
        for question, seen in zip(self._questions.of(chunk), self._seen[chunk], strict=True):
            moved = (self._glimpses.seen(unet, question) - seen).double()
            losses.append(-(moved * text).sum(dim=1) + SHARE * moved.square().sum(dim=1) / 2)
        return tuple(torch.stack(losses).mean(dim=0).tolist())
