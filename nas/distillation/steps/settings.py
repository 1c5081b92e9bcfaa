"""The settings of step distillation: what the paper leaves open has a name, a default and a reason (docs)."""

import itertools
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from nas.settings import settings
from nas.training.settings import TrainingSettings
from search_spaces.files.user_error import UserError


class Method(StrEnum):
    """What a student learns."""

    STEPS = "steps"  # SnapFusion: a step of its own for several of the teacher's
    CONDITIONED = "conditioned"  # Meng et al. 2023: the same, told the guidance that it is to imitate
    CONSISTENCY = "consistency"  # LCM, Luo et al. 2023: neighbouring noises mean the same picture


class Order(StrEnum):
    """In which stages."""

    DIRECT = "direct"
    PROGRESSIVE = "progressive"
    PAPER = "paper"


class Weighting(StrEnum):
    """How much the error of the picture counts, by the signal-to-noise ratio of what it is seen in."""

    TRUNCATED_SNR = "truncated_snr"  # max(SNR, 1), the paper's
    SNR_PLUS_ONE = "snr_plus_one"  # that is, the error of v
    UNIFORM = "uniform"


STEPS: Final[Mapping[Order, tuple[int, ...]]] = {
    Order.DIRECT: (16, 8),
    Order.PROGRESSIVE: (64, 32, 16, 8),
    Order.PAPER: (32, 16, 8),
}


@settings
class LossSettings:
    """What a student minimises."""

    weighting: Annotated[
        Weighting,
        Field(description="of the picture's error: max(SNR, 1) as in the paper, SNR + 1 (the error of v), or none"),
    ] = Weighting.TRUNCATED_SNR
    cfg_probability: Annotated[
        float,
        Field(ge=0, le=1, description="share of the steps whose loss compares guided answers; the others plain ones"),
    ] = 0.1
    cfg_lowest: Annotated[float, Field(ge=1, description="least guidance scale of those steps")] = 2.0
    cfg_highest: Annotated[
        float, Field(ge=1, description="greatest; each picture has one of its own, drawn evenly")
    ] = 14.0
    original_weight: Annotated[
        float, Field(ge=0, description="gamma: how much the loss of plain training counts beside; 0 = not at all")
    ] = 0.2
    original_rescaled: Annotated[
        bool, Field(description="bring that loss to the size of the distillation's, step by step, before it is weighed")
    ] = True
    consistency_steps: Annotated[
        int, Field(ge=2, description="of method consistency: steps of DDIM whose ends mean the same picture")
    ] = 50
    huber: Annotated[float, Field(gt=0, description="of method consistency: below it, errors count squared")] = 1e-3
    guidance_channels: Annotated[
        int,
        Field(
            ge=4, description="of methods conditioned and consistency: width in which a student is told its guidance"
        ),
    ] = 256

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.cfg_lowest > self.cfg_highest:
            raise UserError(
                f"`cfg_lowest` must be at most `cfg_highest`, but is {self.cfg_lowest:g} above {self.cfg_highest:g}"
            )
        return self


@settings
class SampleSettings:
    """The pictures that are drawn on the way, of teacher and student side by side."""

    captions: Annotated[
        Path, Field(description="a file of captions; `shapes` are the bundled model's (docs/pictures.md)")
    ] = Path("shapes")
    num: Annotated[int, Field(ge=1, le=64, description="the first so many captions")] = 8
    guidance_scale: Annotated[float, Field(ge=1, description="classifier-free guidance of both; 1 = none")] = 7.5


@settings
class StepDistillationConfig:
    """One step distillation, of one stage or several."""

    model: Annotated[Path, Field(description="pipeline folder, hub:ORG/NAME[@REVISION], or shapes, which is bundled")]
    teacher: Annotated[
        str | None,
        Field(description="whose steps are learned: a folder with a UNet, or a run; null = the model's UNet"),
    ] = None
    student: Annotated[
        str | None,
        Field(description="who learns them: a folder with a UNet, a run, or a spec; null = the model's UNet"),
    ] = None
    method: Annotated[Method, Field(description="the paper's, or one of the baselines (docs/distillation.md)")] = (
        Method.STEPS
    )
    order: Annotated[
        Order,
        Field(description="one stage (direct), a stage per halving (progressive), or the paper's order of both UNets"),
    ] = Order.DIRECT
    steps: Annotated[
        tuple[int, ...],
        Field(description="steps of the teacher, then those after each stage; empty = the order's own, such as 16, 8"),
    ] = ()
    loss: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings()
    conversion_iterations: Annotated[
        int | None,
        Field(
            ge=1, description="training steps in which a UNet of another kind learns v; null = `training.iterations`"
        ),
    ] = None
    iterations_by_stage: Annotated[
        Mapping[str, Annotated[int, Field(ge=1)]],
        Field(description='other numbers for single stages, such as {"student-16": 500}'),
    ] = field(default_factory=dict)
    samples: SampleSettings = SampleSettings()
    picture_cache: Annotated[
        Path | None, Field(description="folder shared by trainings for encoded pictures; null = one of its own")
    ] = None
    num_threads: Annotated[int, Field(ge=1, le=2**12, description="threads per process")] = 1
    model_variant: Annotated[
        str | None, Field(description="of the model's weight files, such as fp16; null = plain ones")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="of batches, noise, steps and guidance")] = 0

    @property
    def all_steps(self) -> tuple[int, ...]:
        """Steps of the teacher, then those after each stage."""
        return self.steps or STEPS[self.order]

    @model_validator(mode="after")
    def _steps_divide(self) -> Self:
        steps = self.all_steps
        if len(steps) < 2 or min(steps) < 1:
            raise UserError(
                f"`steps` must be the teacher's and then the student's, each at least 1, but got {list(steps)}; "
                "such as [16, 8]"
            )
        for before, after in itertools.pairwise(steps):
            if before <= after or before % after:
                near = [each for each in range(before // 2, 0, -1) if before % each == 0]
                raise UserError(
                    f"`steps` must each be a whole part of the one before, so that a student's step is a whole number "
                    f"of its teacher's, but {before} is followed by {after}; choose among "
                    f"{', '.join(map(str, near[:4])) or 'more steps before'}"
                )
        if self.order is Order.DIRECT and len(steps) != 2:
            raise UserError(
                f"`steps` of order direct are two numbers, but got {list(steps)}; for a stage per number say "
                "order=progressive"
            )
        if self.order is Order.PAPER and len(steps) != 3:
            raise UserError(f"`steps` of order paper are three numbers, such as [32, 16, 8], but got {list(steps)}")
        if self.method is Method.CONSISTENCY and self.order is not Order.DIRECT:
            raise UserError("method consistency knows no stages; say order=direct")
        return self

    @model_validator(mode="after")
    def _trains(self) -> Self:
        if not self.training.iterations or self.training.pictures is None:
            raise UserError(
                "`training.iterations` and `training.pictures` must be given: how many steps, and captioned pictures "
                "(docs/pictures.md)"
            )
        return self
