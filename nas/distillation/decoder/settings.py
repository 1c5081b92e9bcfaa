"""The settings of decoder distillation: SnapFusion prunes half of the channels; what it leaves open has a name here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from nas.pipelines.protocol import SamplingProtocol
from nas.settings import settings
from nas.training.settings import LoopSettings
from search_spaces.files.user_error import UserError


class Criterion(StrEnum):
    """Which channels stay."""

    MAGNITUDE = "magnitude"  # those that the largest weights write
    FIRST = "first"
    RANDOM = "random"


@settings
class LatentSettings:
    """The latents that a decoder learns from, drawn by the pipeline from prompts alone, and kept by content."""

    captions: Annotated[
        Path, Field(description="a file of captions; `shapes` are the bundled model's (docs/pictures.md)")
    ] = Path("shapes")
    num: Annotated[int, Field(ge=1, description="latents to learn from; captions are taken again with new noise")] = (
        1024
    )
    num_held_out: Annotated[
        int, Field(ge=2, description="more of them, with noise of their own, for what is reported and never learned")
    ] = 64
    chunk_size: Annotated[int, Field(ge=1, description="latents that are drawn at once, and kept in a file")] = 32


@settings
class LatentSampling(SamplingProtocol):
    """How latents are drawn; 50 steps of DDIM, as in the paper."""

    num_steps: Annotated[int, Field(ge=1, description="denoising steps")] = 50


@settings
class DecoderDistillationConfig:
    """One decoder distillation."""

    model: Annotated[Path, Field(description="pipeline folder, hub:ORG/NAME[@REVISION], or shapes, which is bundled")]
    ratio: Annotated[
        float, Field(gt=0, lt=1, description="share of the channels that stay, the same in every stage of the decoder")
    ] = 0.5
    channels: Annotated[
        Criterion, Field(description="which stay: those that the largest weights write, the first, or random ones")
    ] = Criterion.MAGNITUDE
    latents: LatentSettings = LatentSettings()
    sampling: LatentSampling = LatentSampling()
    training: LoopSettings = LoopSettings()
    clip: Annotated[
        Path | None,
        Field(description="OpenCLIP folder whose features measure perceptual distance; null = it is not measured"),
    ] = None
    latent_cache: Annotated[
        Path | None, Field(description="folder shared by distillations for latents; null = one of its own")
    ] = None
    num_threads: Annotated[int, Field(ge=1, le=2**12, description="threads per process")] = 1
    model_variant: Annotated[
        str | None, Field(description="of the model's weight files, such as fp16; null = plain ones")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="of noise, batches and random channels")] = 0

    @model_validator(mode="after")
    def _trains(self) -> Self:
        if not self.training.iterations:
            raise UserError("`training.iterations` must be at least 1; say how many steps, such as 2000")
        return self
