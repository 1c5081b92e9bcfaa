"""CLIP score: the cosine between CLIP's view of a picture and of its caption (SnapFusion, section 3.2).

A chunk's captions are embedded once, when its first pictures come.
"""

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.clip.model import check_clip_name, clip_digest, clip_of
from nas.evaluation.clip.preprocessing import preprocess_of
from nas.evaluation.clip.text_features import TextFeatures
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP


class ClipJudge:
    """CLIP scores of pictures.

    Args:
        setting: The prompts, and where CLIP runs.
        model: A local OpenCLIP folder, or an OpenCLIP model name such as "ViT-g-14".
        pretrained: OpenCLIP's tag of the weights, or a safetensors file; needed with a name, none with a folder.

    Raises:
        ValueError: The folder is not an OpenCLIP folder that stands for itself, or a name comes without a tag.
    """

    name = CLIP
    unit = "cosine"
    higher_is_better = True
    is_distance = False

    def __init__(self, setting: ScoreSetting, /, *, model: str, pretrained: str | None = None) -> None:
        check_clip_name(model, pretrained=pretrained)
        self._setting, self._model, self._pretrained = setting, model, pretrained

    @property
    def passes_per_prompt(self) -> int:
        """Those of the picture."""
        return self._setting.passes_per_picture

    @cached_property
    def digest(self) -> str:
        """Content of all that is read; and how pictures are shaped where they were squashed bicubically until 0.1.0."""
        content = clip_digest(self._model, pretrained=self._pretrained)
        preprocess = preprocess_of(self._model, pretrained=self._pretrained)
        _, height, width = self._setting.latent_shape
        if preprocess.interpolation == "bilinear" or (height != width and preprocess.resize_mode != "squash"):
            return f"{content}+{preprocess.resize_mode}+{preprocess.interpolation}"
        return content

    def start(self, reference: torch.nn.Module, /) -> None:
        """Load CLIP."""
        self._clip = clip_of(self._setting, self._model, pretrained=self._pretrained)
        self._text_features = TextFeatures(self._clip, self._setting)

    def judge(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, chunk: int) -> tuple[float, ...]:
        """CLIP score of every picture of a chunk."""
        text = self._text_features.of(chunk)
        with self._setting.execution.autocast():
            features = self._clip.embed_pictures(pictures).float()
        return tuple((features * text).sum(1).tolist())
