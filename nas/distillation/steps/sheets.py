"""Sample pictures of a stage: the same prompts by teacher and student, side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nas.distillation.steps.job import StageJob
from nas.distillation.steps.sampler import sampler_of
from nas.distillation.steps.stages import StageKind
from nas.evaluation.pictures import as_bytes
from nas.pipelines.folder import PipelineParts
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.scores.prompts import ValidationSet

_COMPARED_STEPS = 25  # of both UNets, in a conversion


class SideBySide:
    """Draws the teacher once and the student each time: the teacher's pictures above, the student's below.

    Args:
        job: What is distilled.
        teacher: Its module.
        device: Where to draw.
    """

    def __init__(self, job: StageJob, /, *, teacher: torch.nn.Module, device: torch.device) -> None:
        stage, num = job.stage, len(job.prompts)
        parts = PipelineParts.load(job.model)
        for module in parts.modules:
            module.to(device)
        prompts = ValidationSet.from_captions(list(job.prompts), seed=job.config.seed, chunk_size=num).chunk(0)
        captions = [prompt.caption for prompt in prompts]
        space = job.student.space
        scale = parts.autoencoder.scale
        size_px = (space.sample_size[0] * scale, space.sample_size[1] * scale)
        self._text, self._empty = parts.embed(captions, size_px=size_px), parts.embed([""], size_px=size_px)
        shape = (space.in_channels, *space.sample_size)
        self._noise = initial_noise([prompt.noise_seed for prompt in prompts], shape=shape).to(device)
        self._autoencoder, self._guidance = parts.autoencoder, job.config.samples.guidance_scale
        is_conversion = stage.kind is StageKind.CONVERSION
        before, after = (_COMPARED_STEPS,) * 2 if is_conversion else (stage.teacher_steps, stage.num_steps)
        self._num_steps, self._scheduler = after, sampler_of(job.model, kind=stage.kind)
        self._above = self._drawn(teacher, job.scheduler(kind=job.teacher.kind), before)
        self.num_columns = num
        self.captions: Sequence[str] = [f"teacher, {before} steps: {caption}" for caption in captions] + [
            f"student, {after}: {caption}" for caption in captions
        ]

    def draw(self, module: torch.nn.Module, /) -> npt.NDArray[np.uint8]:
        """Pictures of both as uint8 (n, h, w, 3)."""
        return np.concatenate([self._above, self._drawn(module, self._scheduler, self._num_steps)])

    def _drawn(self, unet: torch.nn.Module, scheduler: Any, num_steps: int) -> npt.NDArray[np.uint8]:
        with torch.random.fork_rng(devices=()):  # the sampler of consistency draws noise of its own
            torch.manual_seed(0)
            latents = sample_latents(
                unet,
                scheduler=scheduler,
                protocol=SamplingProtocol(num_steps=num_steps, guidance_scale=self._guidance),
                noise=self._noise,
                text=self._text,
                empty=self._empty,
            )
        return as_bytes(self._autoencoder.decode(latents).float())
