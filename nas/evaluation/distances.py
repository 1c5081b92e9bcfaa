"""Distances of what is drawn: pictures, or the latents before they are decoded, against the reference's.

Both begin with the same noise and caption, so that nothing but the network makes the difference. A number is the root
of the mean square over all elements: of pictures in [0, 1], or of latents, whose scale is about 1.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.door import reference_named
from nas.evaluation.pictures import Drawer
from nas.evaluation.questions import mean_square
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class PictureDistance:
    """Root mean square distance to the reference's pictures.

    Args:
        setting: The prompts, and how pictures are made.
        reference: "model", the base model in its own weights, or "round", the network before the action.

    Raises:
        ScoreError: There is no such reference.
    """

    name = "picture_distance"
    unit = "root mean square of pictures in [0, 1]"
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
        """Draw the base model's pictures."""
        self._drawer = Drawer(self._setting)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Draw another network's pictures."""
        chunks = range(self._setting.validation.num_chunks)
        self._pictures = [self._drawer.pictures(reference, chunk=chunk).cpu() for chunk in chunks]

    def judge(self, pictures: Float[Tensor, "n 3 h_px w_px"], /, *, chunk: int) -> tuple[float, ...]:
        """Distance of every picture of a chunk."""
        return tuple(mean_square(pictures - self._pictures[chunk].to(pictures.device)).sqrt().tolist())


class LatentDistance:
    """Root mean square distance to the reference's final latents; nothing is decoded.

    Args:
        setting: The prompts, and how pictures are made.
        reference: "model", the base model in its own weights, or "round", the network before the action.

    Raises:
        ScoreError: There is no such reference.
    """

    name = "latent_distance"
    unit = "root mean square of latents"
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
        """Draw the base model's latents."""
        self._drawer = Drawer(self._setting)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Draw another network's latents."""
        chunks = range(self._setting.validation.num_chunks)
        self._latents = [self._drawer.latents(reference, chunk=chunk).cpu() for chunk in chunks]

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """Distance of the latents of every prompt of a chunk."""
        latents = self._drawer.latents(unet, chunk=chunk)
        return tuple(mean_square(latents - self._latents[chunk].to(latents.device)).sqrt().tolist())
