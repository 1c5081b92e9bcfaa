"""What an evaluation draws and computes; a section, or a YAML file of its own."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from nas.evaluation.settings import CLIP, ClipSettings, ScoreSettings
from nas.metrics.registry import METRICS
from nas.pipelines.computing.execution import Execution
from nas.pipelines.protocol import SamplingProtocol, SchedulerName
from nas.settings import settings
from nas.workers.settings import WorkerSettings
from search_spaces.files.user_error import UserError

BASELINE_STEPS: Final = (8, 4, 2)
BASELINE_SCHEDULERS: Final[tuple[SchedulerName, ...]] = ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")


@settings
class EvaluationSettings:
    """What is drawn, and what is computed of it; see docs/evaluation.md."""

    clip: Annotated[
        ClipSettings | None,
        Field(description="OpenCLIP model of the CLIP score, and of the features unless others are named"),
    ] = None
    captions: Annotated[
        Path | None,
        Field(description="captions to draw, in any format of docs/pictures.md; null = those of `pictures`"),
    ] = None
    pictures: Annotated[
        Path | None, Field(description="real pictures with captions, which every distance needs; null = scores alone")
    ] = None
    images: Annotated[Path | None, Field(description="folder of the pictures that a COCO JSON names")] = None
    num_captions: Annotated[
        int | None, Field(ge=2, description="as many of the captions, drawn at random by the seed; null = all")
    ] = None
    num_pictures: Annotated[int | None, Field(ge=2, description="the first so many real pictures; null = all")] = None
    steps: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, description="denoising steps")] = (
        50,
    )
    schedulers: Annotated[
        tuple[SchedulerName, ...], Field(min_length=1, description="deterministic diffusers schedulers")
    ] = ("DDIMScheduler",)
    guidance: Annotated[
        tuple[Annotated[float, Field(ge=1)], ...],
        Field(min_length=1, description="classifier-free guidance scales, along which a curve runs"),
    ] = (7.5,)
    baselines: Annotated[
        bool, Field(description="draw by DPM-Solver++ and UniPC at 8, 4 and 2 steps too, which cost no training")
    ] = True
    score: Annotated[ScoreSettings | None, Field(description="any score of pictures; null = clip")] = None
    metrics: Annotated[
        tuple[str, ...] | None, Field(description="kid, cmmd, mind, fid, precision, recall; null = all that can be had")
    ] = None
    features: Annotated[
        str | None,
        Field(
            description="of distances: OpenCLIP's folder or NAME@TAG, DINOv2's folder, a TorchScript file; null: clip's"
        ),
    ] = None
    chunk_size: Annotated[int, Field(ge=1, description="pictures that are drawn at once; part of the protocol")] = 16
    seed: Annotated[int, Field(ge=0, description="of the noise, and of which captions are drawn")] = 0
    num_threads: Annotated[int, Field(ge=1, le=2**12, description="of each worker; part of the protocol")] = 1
    execution: Annotated[Execution, Field(description="where and how modules run")] = field(default_factory=Execution)
    workers: Annotated[WorkerSettings, Field(description="who draws")] = field(default_factory=WorkerSettings)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wrong = []
        if self.captions is None and self.pictures is None:
            wrong.append("give captions (`captions`), or pictures that have some (`pictures`)")
        if self.metrics is not None:
            if unknown := [name for name in self.metrics if name not in METRICS]:
                wrong.append(f"`metrics` must be among {', '.join(METRICS)}, but has {', '.join(unknown)}")
            if self.metrics and self.pictures is None:
                wrong.append(
                    f"{', '.join(self.metrics)} compare with real pictures, but there are captions only; give pictures "
                    "with captions as `pictures`, or ask for no metric"
                )
        if self.clip is None and (self.score is None or self.score.name == CLIP):
            wrong.append("give an OpenCLIP model as `clip`, or another `score`")
        if self.pictures is not None and self.clip is None and self.features is None and self.metrics != ():
            wrong.append("distances need features: give an OpenCLIP model as `clip`, or `features`")
        if wrong:
            raise UserError("; ".join(wrong))
        return self

    def protocols(self) -> tuple[SamplingProtocol, ...]:
        """How pictures are made, each way once: what was asked for, then the baselines."""
        asked = [(scheduler, steps) for steps in self.steps for scheduler in self.schedulers]
        if self.baselines:
            asked += [(scheduler, steps) for steps in BASELINE_STEPS for scheduler in BASELINE_SCHEDULERS]
        return tuple(
            SamplingProtocol(scheduler=scheduler, num_steps=steps, guidance_scale=scale)
            for scheduler, steps in dict.fromkeys(asked)
            for scale in dict.fromkeys(self.guidance)
        )

    def asks_for(self, protocol: SamplingProtocol, /) -> bool:
        """Whether a way to draw was asked for itself, and is no baseline alone."""
        return protocol.scheduler in self.schedulers and protocol.num_steps in self.steps

    @property
    def of_score(self) -> ScoreSettings:
        """The score that is wanted."""
        return self.score or ScoreSettings()
