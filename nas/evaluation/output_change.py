"""Output change: how far a UNet's output lies from the base model's, at random timesteps, on the same noisy latents.

The latents are those of the base model's own pictures of the prompts, noised by the forward process

    z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps

with t and eps drawn from a generator of the prompt's, so that a number belongs to the prompt. The number is the mean
square difference over the elements of the output, caption given, no guidance. It costs one pass per timestep where a
picture costs a pass per step and branch; the base model's pictures are drawn once, when a worker starts.
"""

from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.evaluation.door import ScoreError
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers
SEED_OFFSET: Final = 1 << 56  # prompts' seeds have 56 bits: the probe's noise is none that a picture begins with


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Question:
    """What one chunk is asked at one timestep per prompt, and what the base model answered; kept off the device."""

    noisy: Float[Tensor, "n c h w"]
    timesteps: Int[Tensor, " n"]
    answer: Float[Tensor, "n c h w"]


class OutputChange:
    """Mean square distance to the base model's output.

    Args:
        setting: The prompts, and how pictures are made.
        num_timesteps: Random timesteps per prompt.

    Raises:
        ScoreError: `num_timesteps` is no positive integer.
    """

    name = "output_change"
    unit = "mean square"
    higher_is_better = False
    is_distance = True

    def __init__(self, setting: ScoreSetting, /, *, num_timesteps: int = 1) -> None:
        if type(num_timesteps) is not int or num_timesteps < 1:
            raise ScoreError(
                f"`num_timesteps` of output_change must be an integer of at least 1, but got {num_timesteps!r}"
            )
        self._setting, self.passes_per_prompt = setting, num_timesteps
        self.digest = digest_of({"rule": RULE, "num_timesteps": num_timesteps})

    @torch.inference_mode()
    def start(self, reference: torch.nn.Module, /) -> None:
        """Draw the base model's pictures, and keep what it answers on their noisy latents."""
        drawer, alphas_cumprod = Drawer(self._setting), self._setting.scheduler().alphas_cumprod
        self._questions: list[list[_Question]] = []
        for chunk in range(self._setting.validation.num_chunks):
            latents = drawer.latents(reference, chunk=chunk).float().cpu()
            generators = [
                torch.Generator().manual_seed(SEED_OFFSET + prompt.noise_seed)
                for prompt in self._setting.prompts(chunk)
            ]
            questions = []
            for _ in range(self.passes_per_prompt):
                timesteps = torch.cat([torch.randint(len(alphas_cumprod), (1,), generator=g) for g in generators])
                noise = torch.stack([torch.randn(latents.shape[1:], generator=g) for g in generators])
                alphas = alphas_cumprod[timesteps].view(-1, 1, 1, 1)
                noisy = alphas.sqrt() * latents + (1 - alphas).sqrt() * noise
                answer = self._output(reference, noisy, timesteps, chunk).cpu()
                questions.append(_Question(noisy=noisy, timesteps=timesteps, answer=answer))
            self._questions.append(questions)

    @torch.inference_mode()
    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """Mean square distance to the base model's output, of every prompt of a chunk."""
        distances = [
            (self._output(unet, q.noisy, q.timesteps, chunk) - q.answer.to(self._setting.execution.device))
            .double()
            .square()
            .mean(dim=(1, 2, 3))
            for q in self._questions[chunk]
        ]
        return tuple(torch.stack(distances).mean(dim=0).tolist())

    def _output(
        self, unet: torch.nn.Module, noisy: Float[Tensor, "n c h w"], timesteps: Int[Tensor, " n"], chunk: int
    ) -> Float[Tensor, "n c h w"]:
        """A UNet's output in float32, on the device."""
        device, text = self._setting.execution.device, self._setting.conditioning(chunk)
        with self._setting.execution.autocast():
            output: Tensor = unet(noisy.to(device), timesteps.to(device), **text.arguments()).sample
        return output.float()
