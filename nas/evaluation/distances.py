"""Distances of what is drawn: pictures, or the latents before they are decoded, against the reference's.

Both begin with the same noise and caption, so that nothing but the network makes the difference. A number is the root
of the mean square over all elements: of pictures in [0, 1], or of latents, whose scale is about 1.
"""

from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.door import reference_named
from nas.evaluation.pictures import Drawer
from nas.evaluation.questions import mean_square
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class _DrawnDistance:
    """What both distances share: a reference that is drawn once, chunk by chunk, and kept off the device.

    Args:
        setting: The prompts, and how pictures are made.
        reference: "model", the base model in its own weights, or "round", the network before the action.

    Raises:
        ScoreError: There is no such reference.
    """

    name: str
    what: Literal["pictures", "latents"]
    higher_is_better = False
    is_distance = True

    def __init__(self, setting: ScoreSetting, /, *, reference: str = "model") -> None:
        self._setting, self.reference = setting, reference_named(reference, of=self.name)
        self.digest = digest_of({"rule": RULE, "reference": str(self.reference)})

    @property
    def passes_per_prompt(self) -> int:
        """Those of the picture."""
        return self._setting.passes_per_picture

    passes_to_start = passes_to_refer = passes_per_prompt

    def start(self, reference: torch.nn.Module, /) -> None:
        """Draw what the base model draws."""
        self._drawer = Drawer(self._setting)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Draw what another network draws."""
        self._drawn = [self._draw(reference, chunk).cpu() for chunk in range(self._setting.validation.num_chunks)]

    def _draw(self, unet: torch.nn.Module, chunk: int) -> Float[Tensor, "n c h w"]:
        draw = self._drawer.pictures if self.what == "pictures" else self._drawer.latents
        return draw(unet, chunk=chunk)

    def _distance(self, drawn: Float[Tensor, "n c h w"], chunk: int) -> tuple[float, ...]:
        return tuple(mean_square(drawn - self._drawn[chunk].to(drawn.device)).sqrt().tolist())


class PictureDistance(_DrawnDistance):
    """Root mean square distance to the reference's pictures."""

    name = "picture_distance"
    what = "pictures"
    unit = "root mean square of pictures in [0, 1]"

    def judge(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, chunk: int) -> tuple[float, ...]:
        """Distance of every picture of a chunk."""
        return self._distance(pictures, chunk)


class LatentDistance(_DrawnDistance):
    """Root mean square distance to the reference's final latents, nothing being decoded."""

    name = "latent_distance"
    what = "latents"
    unit = "root mean square of latents"

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """Distance of the latents of every prompt of a chunk."""
        return self._distance(self._draw(unet, chunk), chunk)
