"""Questions: noisy latents at random timesteps, the same for every UNet, drawn from a generator of each prompt's own.

The latents are those of the base model's own pictures of the prompts, noised by the forward process

    z_t = sqrt(abar_t) z_0 + sqrt(1 - abar_t) eps

so that a number belongs to the prompt, whatever other prompts there are. One answer is one UNet pass, with the caption
and without guidance, where a picture takes a pass per step and branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nas.evaluation.door import ScoreError
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.noise_schedule import NoiseSchedule

SEED_OFFSET: Final = 1 << 56  # prompts' seeds have 56 bits: a question's noise is none that a picture begins with


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What one chunk is asked at one timestep per prompt; kept off the device.

    Attributes:
        chunk: Of which prompts.
        noisy: What a UNet sees.
        timesteps: How noisy that is.
        target: What training would have it answer.
    """

    chunk: int
    noisy: Float[Tensor, "n c h w"]
    timesteps: Int[Tensor, " n"]
    target: Float[Tensor, "n c h w"]


class Questions:
    """Questions about every prompt of a setting, each prompt at so many random timesteps.

    Args:
        setting: The prompts, and how their pictures are made.
        num_timesteps: Random timesteps per prompt.
        of: Name of the score that asks, for errors.
        among: Shares of the schedule that timesteps are drawn from; None = any timestep.
        in_turn: Whether a prompt's timesteps are those shares, one after the other, instead of being drawn.

    Raises:
        ScoreError: `num_timesteps` is no positive integer.
    """

    def __init__(
        self,
        setting: ScoreSetting,
        /,
        *,
        num_timesteps: int,
        of: str,
        among: Sequence[float] | None = None,
        in_turn: bool = False,
    ) -> None:
        if type(num_timesteps) is not int or num_timesteps < 1:
            raise ScoreError(f"`num_timesteps` of {of} must be an integer of at least 1, but got {num_timesteps!r}")
        self._setting, self.num_timesteps, self._among, self._in_turn = setting, num_timesteps, among, in_turn
        self._chunks: list[list[Question]] = []

    @property
    def passes_to_draw(self) -> int:
        """UNet passes per prompt that drawing them takes: those of its picture."""
        return self._setting.passes_per_picture

    @cached_property
    def schedule(self) -> NoiseSchedule:
        """How the latents are noised."""
        return NoiseSchedule.of(self._setting.scheduler())

    def of(self, chunk: int, /) -> list[Question]:
        """The questions about a chunk, which were drawn before."""
        return self._chunks[chunk]

    def __iter__(self) -> Iterator[list[Question]]:
        """The questions about every chunk."""
        return iter(self._chunks)

    @torch.inference_mode()
    def draw(self, base: torch.nn.Module, /) -> None:
        """Have the base model draw its pictures, and noise them."""
        drawer, schedule = Drawer(self._setting), self.schedule
        known = torch.arange(len(schedule))
        if self._among is not None:
            known = torch.tensor([int(share * len(schedule)) - 1 for share in self._among])
        self._chunks = []
        for chunk in range(self._setting.validation.num_chunks):
            latents = drawer.latents(base, chunk=chunk).float().cpu()
            generators = [
                torch.Generator().manual_seed(SEED_OFFSET + prompt.noise_seed)
                for prompt in self._setting.prompts(chunk)
            ]
            questions = []
            for turn in range(self.num_timesteps):
                if self._in_turn:
                    timesteps = known[turn % len(known)].repeat(len(generators))
                else:
                    timesteps = known[torch.cat([torch.randint(len(known), (1,), generator=g) for g in generators])]
                noise = torch.stack([torch.randn(latents.shape[1:], generator=g) for g in generators])
                noisy, target = schedule.diffuse(latents, noise, timesteps)
                questions.append(Question(chunk=chunk, noisy=noisy, timesteps=timesteps, target=target))
            self._chunks.append(questions)

    @torch.inference_mode()
    def answer(self, unet: torch.nn.Module, question: Question, /) -> Float[Tensor, "n c h w"]:
        """A UNet's output in float32, on the device."""
        device, text = self._setting.execution.device, self._setting.conditioning(question.chunk)
        with self._setting.execution.autocast():
            output: Tensor = unet(question.noisy.to(device), question.timesteps.to(device), **text.arguments()).sample
        return output.float()


def mean_square(values: Float[Tensor, "n c h w"], /) -> Float[Tensor, " n"]:
    """Mean over the elements of every row, in float64."""
    return values.double().square().mean(dim=(1, 2, 3))
