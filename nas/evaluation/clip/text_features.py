"""TextFeatures: CLIP's view of captions, embedded chunk by chunk when they are first asked for."""

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.clip.model import ClipModel
from nas.evaluation.setting import ScoreSetting


class TextFeatures:
    """Unit vectors of a setting's captions; other prompts change no bit of a chunk's.

    Args:
        clip: What sees them, placed.
        setting: The prompts.
    """

    def __init__(self, clip: ClipModel, setting: ScoreSetting, /) -> None:
        self._clip, self._setting = clip, setting
        self._known: dict[int, Float[Tensor, "n dim"]] = {}

    def of(self, chunk: int, /) -> Float[Tensor, "n dim"]:
        """Those of a chunk, on the device."""
        if chunk not in self._known:
            captions = [prompt.caption for prompt in self._setting.prompts(chunk)]
            with torch.autocast(torch.device(self._setting.execution.device).type, enabled=False):
                self._known[chunk] = self._clip.embed_captions(captions, batch_size=len(captions))
        return self._known[chunk]
