"""ScoreSetting: what a score may use beside the UNet that it is asked about: prompts, noise, conditioning, protocol.

It is a value until something heavy is asked of it: scores are made, and declare themselves, without loading a model.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from nas.evaluation.captions.embedder import CaptionEmbedder, Chunk
from nas.evaluation.captions.known import EMPTY, CaptionFolder, KnownCaptions, known_captions
from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.computing.execution import Execution
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import load_autoencoder
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.scores.prompts import Prompt, ValidationSet


@dataclass(frozen=True, kw_only=True)  # without slots, since it keeps what it has loaded
class ScoreSetting:
    """Where scores are made.

    Attributes:
        model: The base model.
        validation: The prompts, in chunks.
        protocol: How pictures are made.
        latent_shape: (channels, height, width) of one picture's latents.
        execution: Where and how modules run; UNets come placed.
        embedded: Where workers share embedded captions; None = nowhere, so that this process embeds and holds them all.
    """

    model: ModelFolder
    validation: ValidationSet
    protocol: SamplingProtocol
    latent_shape: tuple[int, int, int]
    execution: Execution = Execution()  # noqa: RUF009  frozen
    embedded: CaptionFolder | None = None

    @cached_property
    def passes_per_picture(self) -> int:
        """UNet passes of one picture: one per timestep of the scheduler, two where it is guided."""
        scheduler = make_scheduler(self.protocol.scheduler, config=scheduler_config(self.model))
        scheduler.set_timesteps(self.protocol.num_steps)
        return len(scheduler.timesteps) * (1 if self.protocol.guidance_scale == 1 else 2)

    def first(self, num_prompts: int, /) -> "ScoreSetting":
        """The same with the first so many prompts; what is loaded is shared."""
        part = self.on(self.validation.first(num_prompts))
        part.__dict__["_of"] = self._whole
        return part

    def on(self, validation: ValidationSet, /) -> "ScoreSetting":
        """The same with other prompts; what is loaded is shared."""
        other = replace(self, validation=validation)
        other.__dict__.update(autoencoder=self.autoencoder, shared=self.shared, _known=self._known)
        return other

    @cached_property
    def shared(self) -> dict[Hashable, Any]:
        """What scores load once for all settings that differ in their prompts alone, by what tells it apart."""
        return {}

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
        """What a UNet is told of a chunk's captions, on the device; at the first call all chunks are embedded."""
        captions = self._known.read(self._whole._captions[chunk])
        return captions[: len(self.prompts(chunk))].to(self.execution.device)

    @cached_property
    def empty(self) -> Conditioning:
        """What a UNet is told of one picture without text, on the device."""
        self._known.begin(self._whole._chunks)
        return self._known.read(EMPTY).to(self.execution.device)

    @cached_property
    def autoencoder(self) -> Autoencoder:
        """Between pictures and latents, placed."""
        autoencoder = load_autoencoder(self.model)
        self.execution.place(autoencoder.vae)
        return autoencoder

    def scheduler(self) -> Any:
        """A fresh scheduler of the protocol's class with the pipeline's settings; it holds state, so share none."""
        return make_scheduler(self.protocol.scheduler, config=scheduler_config(self.model))

    @property
    def _whole(self) -> "ScoreSetting":
        """The setting whose first prompts these are; captions are embedded in its chunks, the last one's too."""
        whole: ScoreSetting = self.__dict__.get("_of", self)
        return whole

    @property
    def _chunks(self) -> tuple[Chunk, ...]:
        """Captions of every chunk."""
        return tuple(
            tuple(prompt.caption for prompt in self.prompts(chunk)) for chunk in range(self.validation.num_chunks)
        )

    @cached_property
    def _captions(self) -> tuple[Chunk, ...]:
        """The same, which are embedded by now."""
        chunks = self._chunks
        self._known.need(chunks)
        return chunks

    @cached_property
    def _known(self) -> KnownCaptions:
        _, height, width = self.latent_shape
        scale = self.autoencoder.scale
        embedder = CaptionEmbedder(model=self.model, size_px=(height * scale, width * scale), execution=self.execution)
        return known_captions(embedder, folder=self.embedded)
