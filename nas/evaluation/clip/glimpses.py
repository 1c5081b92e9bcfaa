"""Glimpses: what CLIP sees of the picture that a UNet has in mind, from its answer to one question.

The questions are the base model's own pictures, noised by a quarter, a half or three quarters of the schedule. From
the answer at timestep t the picture follows at once,

    z_0 = (z_t - sigma_t eps) / alpha_t = alpha_t z_t - sigma_t v

and CLIP looks at it where it would look at a finished one: a pass of the UNet in the place of a picture's.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.clip.model import clip_of
from nas.evaluation.questions import Question, Questions
from nas.evaluation.setting import ScoreSetting

# Nearer to the picture nothing is left to change, nearer to the noise there is no picture yet to be seen.
AMONG: Final = (0.25, 0.5, 0.75)


class Glimpses:
    """CLIP's view of pictures that UNets have in mind.

    Args:
        setting: The prompts, and where everything runs.
        questions: What the UNets are asked.
        model: As `ClipModel` takes it; loaded here, unless another score has.
        pretrained: As `ClipModel` takes it.
    """

    def __init__(self, setting: ScoreSetting, questions: Questions, /, *, model: str, pretrained: str | None) -> None:
        self._setting, self._questions = setting, questions
        self.clip = clip_of(setting, model, pretrained=pretrained)

    @torch.inference_mode()
    def seen(self, unet: torch.nn.Module, question: Question, /) -> Float[Tensor, "n dim"]:
        """Unit vectors of the pictures that a UNet has in mind, in float32 on its device."""
        answer = self._questions.answer(unet, question)
        latents = self._questions.schedule.clean(
            question.noisy.to(answer.device), answer, timesteps=question.timesteps.to(answer.device)
        )
        with self._setting.execution.autocast():
            return self.clip.embed_pictures(self._setting.autoencoder.decode(latents).float()).float()
