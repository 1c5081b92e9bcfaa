"""Evaluator: the numbers of a chunk for whatever UNet it is handed, by a score of either family, pictures if wanted.

Nothing here depends on who calls: the same UNet weights, chunk and number of threads give the same bits.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.door import Score, ScoreError, check_numbers, judges_pictures, probes_network, refers_to_rounds
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.finite import cause_in_weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """One chunk of one UNet.

    Attributes:
        scores: One finite number per prompt, in the order of the chunk.
        pictures: In [0, 1]; None from a probe that was not asked for them.
    """

    scores: tuple[float, ...]
    pictures: Float[Tensor, "n 3 h_px w_px"] | None


@contextmanager
def _blamed(score: Score, what: str) -> Iterator[None]:
    """Turn whatever a score raises into an error that names it; errors of its own words pass."""
    try:
        yield
    except (ValueError, RuntimeError, OSError):
        raise
    except Exception as error:
        raise ScoreError(
            f"the score `{score.name}` fails when it {what} ({type(error).__name__}: {error}); this is its own fault, "
            "or that of `score.settings`"
        ) from error


class Evaluator:
    """Scores UNets on the prompts of a setting.

    Args:
        setting: Prompts, protocol, execution.
        score: The judge or probe, made in this setting; it is started here.
        reference: The base model's UNet in its own weights; needed during this call only.
    """

    def __init__(self, setting: ScoreSetting, /, *, score: Score, reference: torch.nn.Module) -> None:
        self._setting, self._score = setting, score
        self._drawer = Drawer(setting)
        with _blamed(score, "starts"):
            score.start(reference)
        self._referred: Hashable = None

    def refers_to(self, key: Hashable, /) -> bool:
        """Whether its reference is the network of this name: it needs none, or was given that one last."""
        return not refers_to_rounds(self._score) or self._referred == key

    def refer(self, reference: torch.nn.Module, /, *, key: Hashable) -> None:
        """Take another network for the reference.

        Args:
            reference: A round's UNet before the action, placed; needed during this call only.
            key: What tells it apart: architecture and weights.
        """
        score = self._score
        with _blamed(score, "takes another reference"):
            assert refers_to_rounds(score)
            score.refer(reference)
        self._referred = key

    def evaluate(
        self,
        unet: torch.nn.Module,
        /,
        *,
        chunk: int,
        with_pictures: bool = False,
        of: str = "this UNet",
        is_base: bool = False,
    ) -> Evaluation:
        """Score a UNet on a chunk of prompts.

        Args:
            unet: A diffusers UNet, placed.
            chunk: Which prompts.
            with_pictures: Draw even where the score needs no pictures.
            of: What the UNet is, in words, for errors.
            is_base: Whether nothing is removed from it.

        Raises:
            ScoreError: Pictures or numbers that are not finite, or not one number per prompt.
        """
        score, pictures = self._score, None
        if with_pictures or judges_pictures(score):
            pictures = self.pictures(unet, chunk=chunk, of=of, is_base=is_base)
        with _blamed(score, f"scores {of}"):
            if judges_pictures(score):
                assert pictures is not None
                numbers = score.judge(pictures, chunk=chunk)
            else:
                assert probes_network(score)
                numbers = score.probe(unet, chunk=chunk)
        num_prompts = len(self._setting.prompts(chunk))
        return Evaluation(
            scores=check_numbers(numbers, score=score.name, num_prompts=num_prompts, of=of), pictures=pictures
        )

    def pictures(
        self, unet: torch.nn.Module, /, *, chunk: int, of: str = "this UNet", is_base: bool = False
    ) -> Float[Tensor, "n 3 h_px w_px"]:
        """Pictures in [0, 1] of a chunk's prompts.

        Raises:
            ScoreError: Pictures that are not finite.
        """
        latents = self._drawer.latents(unet, chunk=chunk)
        pictures = self._drawer.decoded(latents)
        for what, numbers in (("latents", latents), ("pictures", pictures)):
            broken = int((~torch.isfinite(numbers).flatten(1).all(dim=1)).sum())
            if broken:
                raise ScoreError(
                    f"{what} must be finite, but {broken} of {len(numbers)} in chunk {chunk} of {of} are not; "
                    + self._cause(unet, is_base=is_base)
                )
        return pictures

    def _cause(self, unet: torch.nn.Module, *, is_base: bool) -> str:
        """Why pictures may be not finite, and what helps."""
        if (cause := cause_in_weights({"UNet": unet, "autoencoder": self._setting.autoencoder.vae})) is not None:
            return f"{cause}, or lower `robust_training.learning_rate` where training did it"
        if is_base:
            return "nothing is removed, so the base model itself overflows: use a wider `execution.precision`"
        return "the model overflows: use a wider dtype, or protect the block whose removal does it"
