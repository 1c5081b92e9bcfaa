"""Output change: how far a UNet's output lies from the reference's, at random timesteps, on the same noisy latents.

The number is the mean square difference over the elements of the output, or that as a share of the reference's own mean
square; see `nas.evaluation.questions`. It costs one pass per timestep where a picture costs a pass per step and branch;
the base model's pictures are drawn once, when a worker starts.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.door import Reference, reference_named
from nas.evaluation.questions import Questions, mean_square
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class OutputChange:
    """Mean square distance to the reference's output.

    Args:
        setting: The prompts, and how pictures are made.
        num_timesteps: Random timesteps per prompt.
        reference: "model", the base model in its own weights, or "round", the network before the action.
        relative: Whether numbers are shares of the mean square of the reference's output.

    Raises:
        ScoreError: `num_timesteps` is no positive integer, or there is no such reference.
    """

    name = "output_change"
    unit = "mean square"
    higher_is_better = False
    is_distance = True

    def __init__(
        self, setting: ScoreSetting, /, *, num_timesteps: int = 1, reference: str = "model", relative: bool = False
    ) -> None:
        self._questions = Questions(setting, num_timesteps=num_timesteps, of=self.name)
        self.reference, self._relative = reference_named(reference, of=self.name), relative
        self.passes_per_prompt = self.passes_to_refer = num_timesteps
        self.passes_to_start = self._questions.passes_to_draw + num_timesteps
        later: dict[str, object] = {"relative": True} if relative else {}  # what came later counts where it is used
        if self.reference is not Reference.MODEL:
            later["reference"] = str(self.reference)
        self.digest = digest_of({"rule": RULE, "num_timesteps": num_timesteps, **later})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Draw the base model's pictures, and keep what it answers on their noisy latents."""
        self._questions.draw(reference)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """Keep what another network answers."""
        self._answers = [
            [self._questions.answer(reference, question).cpu() for question in questions]
            for questions in self._questions
        ]

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """Mean square distance to the reference's output, of every prompt of a chunk."""
        distances = [
            self._distance(self._questions.answer(unet, question), answer)
            for question, answer in zip(self._questions.of(chunk), self._answers[chunk], strict=True)
        ]
        return tuple(torch.stack(distances).mean(dim=0).tolist())

    def _distance(self, output: Float[Tensor, "n c h w"], answer: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        answer = answer.to(output.device)
        distance = mean_square(output - answer)
        return distance / mean_square(answer) if self._relative else distance
