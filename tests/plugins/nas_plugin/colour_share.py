"""Colour share: the share of a picture's pixels whose colour the caption names.

An honest judge for captions of one coloured thing on a plain ground: no thing, or one in another colour, gives 0. It
reads "orange" in "an orange ring" and knows nothing of shapes or places.
"""

import hashlib
import re
from typing import Any, Final

import torch

RULE: Final = 1  # counts up when the rule gives other numbers
RGB: Final = {
    "red": (0.86, 0.12, 0.12),
    "green": (0.10, 0.62, 0.20),
    "blue": (0.12, 0.25, 0.86),
    "yellow": (0.96, 0.84, 0.10),
    "purple": (0.52, 0.16, 0.66),
    "orange": (0.97, 0.52, 0.08),
}


class ColourShare:
    """The share of pixels near the first colour word of the caption; 0 where it names none.

    Args:
        setting: The prompts (`nas.evaluation.setting.ScoreSetting`).
        tolerance: Distance in RGB, of colours in [0, 1], that still counts as near.
    """

    name = "colour_share"
    unit = "share of pixels"
    higher_is_better = True
    is_distance = False

    def __init__(self, setting: Any, /, *, tolerance: float = 0.35) -> None:
        if not 0 < tolerance < 1:
            raise ValueError(f"`tolerance` of colour_share must lie between 0 and 1, but got {tolerance}")
        self._setting, self._tolerance = setting, tolerance
        self.passes_per_prompt = setting.passes_per_picture
        self.digest = hashlib.sha256(f"{RULE} {tolerance} {sorted(RGB.items())}".encode()).hexdigest()[:16]

    def start(self, reference: torch.nn.Module, /) -> None:
        """Nothing to load."""

    def judge(self, pictures: torch.Tensor, /, *, chunk: int) -> tuple[float, ...]:
        """One share per picture (n, 3, h, w)."""
        return tuple(
            self._share(picture, prompt.caption)
            for picture, prompt in zip(pictures, self._setting.prompts(chunk), strict=True)
        )

    def _share(self, picture: torch.Tensor, caption: str) -> float:
        named = [word for word in re.findall(r"[a-z]+", caption.lower()) if word in RGB]
        if not named:
            return 0.0
        colour = picture.new_tensor(RGB[named[0]]).view(3, 1, 1)
        return float(((picture - colour).square().sum(dim=0).sqrt() < self._tolerance).double().mean())
