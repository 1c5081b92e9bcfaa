"""ScoreSetting: what a score may use beside the UNet that it is asked about: prompts, noise, conditioning, protocol.

It is a value until something heavy is asked of it: scores are made, and declare themselves, without loading a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.computing.execution import Execution
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.scores.prompts import Prompt, ValidationSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    """What stays of a pipeline's parts: not the text encoders, which may go once the captions are embedded.

    Captions are embedded chunk by chunk, so that a chunk's bits do not depend on what else is scored, and wait in the
    computer's memory for their turn on the device.
    """

    autoencoder: Autoencoder
    scheduler_config: Mapping[str, Any]
    captions: tuple[Conditioning, ...]
    empty: Conditioning


@dataclass(frozen=True, kw_only=True)  # without slots, since it keeps what it has loaded
class ScoreSetting:
    """Where scores are made.

    Attributes:
        model: The base model.
        validation: The prompts, in chunks.
        protocol: How pictures are made.
        latent_shape: (channels, height, width) of one picture's latents.
        execution: Where and how modules run; UNets come placed.
    """

    model: ModelFolder
    validation: ValidationSet
    protocol: SamplingProtocol
    latent_shape: tuple[int, int, int]
    execution: Execution = Execution()  # noqa: RUF009  frozen

    @cached_property
    def passes_per_picture(self) -> int:
        """UNet passes of one picture: one per timestep of the scheduler, two where it is guided."""
        scheduler = make_scheduler(self.protocol.scheduler, config=scheduler_config(self.model))
        scheduler.set_timesteps(self.protocol.num_steps)
        return len(scheduler.timesteps) * (1 if self.protocol.guidance_scale == 1 else 2)

    def first(self, num_prompts: int, /) -> "ScoreSetting":
        """The same with the first so many prompts; what is loaded is shared."""
        part = replace(self, validation=self.validation.first(num_prompts))
        part.__dict__["_loaded"] = self._loaded
        return part

    def prompts(self, chunk: int, /) -> tuple[Prompt, ...]:
        """The prompts of a chunk."""
        return self.validation.chunk(chunk)

    def rows(self, chunk: int, /) -> slice:
        """Where a chunk's prompts stand among all."""
        start = chunk * self.validation.chunk_size
        return slice(start, start + len(self.validation.chunk(chunk)))

    def noise(self, chunk: int, /) -> Float[Tensor, "n c h w"]:
        """First noise of a chunk's pictures, each prompt's own, on the device."""
        noise = initial_noise([prompt.noise_seed for prompt in self.prompts(chunk)], shape=self.latent_shape)
        return noise.to(self.execution.device)

    def conditioning(self, chunk: int, /) -> Conditioning:
        """What a UNet is told of a chunk's captions, on the device."""
        captions = self._loaded.captions[chunk][: len(self.prompts(chunk))]
        return captions.to(self.execution.device)

    @property
    def empty(self) -> Conditioning:
        """What a UNet is told of one picture without text."""
        return self._loaded.empty

    @property
    def autoencoder(self) -> Autoencoder:
        """Between pictures and latents, placed."""
        return self._loaded.autoencoder

    def scheduler(self) -> Any:
        """A fresh scheduler of the protocol's class with the pipeline's settings; it holds state, so share none."""
        return make_scheduler(self.protocol.scheduler, config=dict(self._loaded.scheduler_config))

    @cached_property
    def _loaded(self) -> _Loaded:
        parts = PipelineParts.load(self.model)
        for module in parts.modules:
            self.execution.place(module)
        _, height, width = self.latent_shape
        size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
        return _Loaded(
            autoencoder=parts.autoencoder,
            scheduler_config=parts.scheduler_config,
            captions=tuple(
                parts.embed([prompt.caption for prompt in self.prompts(chunk)], size_px=size_px).to("cpu")
                for chunk in range(self.validation.num_chunks)
            ),
            empty=parts.embed([""], size_px=size_px),
        )
