"""Training loss: how well a UNet predicts what training would have it predict, on the base model's own pictures.

The questions are those of the output change, and the target is the noise, the velocity or the sample, as the scheduler
says. A removal's loss is the rise of this number at the same points; a UNet that became better has a negative one.
"""

from typing import Final

import torch

from nas.evaluation.questions import Questions, mean_square
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers


class TrainingLoss:
    """Mean squared error of the prediction, every timestep counting the same.

    Args:
        setting: The prompts, and how pictures are made.
        num_timesteps: Random timesteps per prompt.

    Raises:
        ScoreError: `num_timesteps` is no positive integer.
    """

    name = "training_loss"
    unit = "mean square"
    higher_is_better = False
    is_distance = False

    def __init__(self, setting: ScoreSetting, /, *, num_timesteps: int = 4) -> None:
        self._questions = Questions(setting, num_timesteps=num_timesteps, of=self.name)
        self.passes_per_prompt, self.passes_to_start = num_timesteps, self._questions.passes_to_draw
        self.digest = digest_of({"rule": RULE, "num_timesteps": num_timesteps})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Draw the base model's pictures."""
        self._questions.draw(reference)

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """The error of every prompt of a chunk, over its timesteps."""
        errors = [
            mean_square(self._questions.answer(unet, question).cpu() - question.target)
            for question in self._questions.of(chunk)
        ]
        return tuple(torch.stack(errors).mean(dim=0).tolist())
