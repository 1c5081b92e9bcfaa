"""Clip change: how differently CLIP sees what a UNet makes of noisy latents, in one pass.

The number is 1 - cosine to what the reference has in mind: the part of a lost CLIP score that is never negative
(docs/decisions_under_noise.md), for one pass instead of a picture's.
"""

from functools import cached_property
from typing import Final

import torch

from nas.evaluation.clip.glimpses import AMONG, Glimpses
from nas.evaluation.clip.model import check_clip_name, clip_digest
from nas.evaluation.door import Reference, reference_named
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP_CHANGE
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class ClipChange:
    """1 - cosine between what CLIP sees of two networks' pictures of one pass.

    Args:
        setting: The prompts, and how pictures are made.
        model: A local OpenCLIP folder, or an OpenCLIP model name; the one of the section `clip` where it screens.
        pretrained: OpenCLIP's tag of the weights, or a safetensors file; needed with a name, none with a folder.
        num_timesteps: Timesteps per prompt, drawn from the quarters of the schedule.
        reference: "model", the base model in its own weights, or "round", the network before the action.

    Raises:
        ScoreError: `num_timesteps` is no positive integer, or there is no such reference.
        ValueError: The folder is not an OpenCLIP folder that stands for itself, or a name comes without a tag.
    """

    name = CLIP_CHANGE
    unit = "1 - cosine"
    higher_is_better = False
    is_distance = True

    def __init__(
        self,
        setting: ScoreSetting,
        /,
        *,
        model: str,
        pretrained: str | None = None,
        num_timesteps: int = 1,
        reference: str = str(Reference.MODEL),
    ) -> None:
        check_clip_name(model, pretrained=pretrained)
        self._setting, self._model, self._pretrained = setting, model, pretrained
        self._questions = Questions(setting, num_timesteps=num_timesteps, of=self.name, among=AMONG)
        self.reference = reference_named(reference, of=self.name)
        self.passes_per_prompt = self.passes_to_refer = num_timesteps
        self.passes_to_start = self._questions.passes_to_draw + num_timesteps

    @cached_property
    def digest(self) -> str:
        """Content of CLIP, and the settings."""
        clip = clip_digest(self._model, pretrained=self._pretrained)
        own = {"num_timesteps": self.passes_per_prompt, "reference": str(self.reference)}
        return digest_of({"rule": RULE, "clip": clip, **own})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Load CLIP, draw the base model's pictures, and keep what is seen of its answers on their noisy latents."""
        self._glimpses = Glimpses(self._setting, self._questions, model=self._model, pretrained=self._pretrained)
        self._questions.draw(reference)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Keep what is seen of another network's answers."""
        self._seen = [
            [self._glimpses.seen(reference, each).cpu() for each in questions] for questions in self._questions
        ]

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """1 - cosine to what is seen of the reference, of every prompt of a chunk."""
        changes = [
            (self._glimpses.seen(unet, question).cpu() - seen).double().square().sum(dim=1)
            for question, seen in zip(self._questions.of(chunk), self._seen[chunk], strict=True)
        ]
        return tuple((torch.stack(changes).mean(dim=0) / 2).tolist())  # of unit vectors; 0 exactly
