"""How weights are trained, whatever for, and before each round of a search; the paper leaves every number open."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from latency.pricing.scenario import Dtype
from nas.pipelines.computing.execution import DEVICES, of_a_known_kind
from nas.settings import settings
from nas.training.data.settings import DataSettings
from nas.training.launching.settings import TrainingWorkers
from nas.training.skipping.settings import DEFAULT_RATE, Rate, Skipping, StrategyName
from search_spaces.files.user_error import UserError


class RateSchedule(StrEnum):
    """How the learning rate falls, by diffusers' names."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


@settings
class LoopSettings:
    """How weights are trained, whatever they are of, whatever is minimised, and on what."""

    workers: TrainingWorkers = TrainingWorkers()
    iterations: Annotated[int, Field(ge=0, description="training steps")] = 0
    batch_size: Annotated[int, Field(ge=1, le=2**16, description="pictures per step")] = 32
    learning_rate: Annotated[float, Field(gt=0, description="peak of AdamW's rate, after a linear warm-up")] = 1e-4
    warm_up_share: Annotated[
        float, Field(ge=0, le=1, description="share of the steps over which the rate rises to its peak")
    ] = 0.1
    rate_schedule: Annotated[
        RateSchedule, Field(description="how the rate falls from its peak: constant (it stays), linear or cosine")
    ] = RateSchedule.CONSTANT
    decay_share: Annotated[
        float, Field(gt=0, le=1, description="share of the steps, the last ones, over which it falls")
    ] = 1.0
    device: Annotated[
        str | None, Field(pattern=DEVICES.pattern, description="that trains: cpu, cuda or cuda:1; null = cpu")
    ] = None
    weight_decay: Annotated[float, Field(ge=0, description="AdamW's")] = 0.01
    adam_beta1: Annotated[float, Field(ge=0, lt=1, description="AdamW's decay of the mean of gradients")] = 0.9
    adam_beta2: Annotated[float, Field(ge=0, lt=1, description="AdamW's decay of the mean of their squares")] = 0.999
    adam_epsilon: Annotated[float, Field(gt=0, description="AdamW's smallest denominator")] = 1e-8
    ema_decay: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="of the exponential moving average of the weights, which a training then gives; null = the "
            "last weights themselves",
        ),
    ] = None
    caption_dropout: Annotated[
        float, Field(ge=0, le=1, description="share of empty captions, which classifier-free guidance needs")
    ] = 0.1
    max_grad_norm: Annotated[float, Field(gt=0, description="gradients are clipped to this norm")] = 1.0
    max_loss: Annotated[
        float, Field(gt=0, description="a loss above it, or one that is no number, ends the training with an error")
    ] = 1e4
    gradient_accumulation: Annotated[
        int, Field(ge=1, description="parts that a step's pictures are worked through in, to save memory")
    ] = 1
    precision: Annotated[
        Dtype, Field(description="of matrix products in training, by autocast; weights stay in float32")
    ] = Dtype.FLOAT32
    gradient_checkpointing: Annotated[
        bool, Field(description="compute activations twice instead of keeping them: less memory, about a third slower")
    ] = False
    channels_last: Annotated[bool, Field(description="store feature maps with their channels together in training")] = (
        False
    )
    save_every: Annotated[
        int, Field(ge=1, description="steps between two states on disk, from which a killed training goes on")
    ] = 500
    sample_every: Annotated[
        int, Field(ge=0, description="steps between two sheets of pictures of the same prompts; 0 = none")
    ] = 500

    _known_kind = field_validator("device", mode="before")(of_a_known_kind)


@settings
class TrainingSettings(LoopSettings):
    """How weights are trained on captioned pictures."""

    pictures: Annotated[
        Path | None,
        Field(
            description="captioned pictures: a folder, COCO's JSON, *.tar, *.parquet (docs/pictures.md); must be given "
            "when there are iterations"
        ),
    ] = None
    data: DataSettings = DataSettings()


@settings
class RobustTrainingSettings(TrainingSettings):
    """Training before each round; without iterations there is none."""

    iterations: Annotated[int, Field(ge=0, description="training steps per round")] = 0
    device: Annotated[
        str | None,
        Field(
            pattern=DEVICES.pattern,
            description="of the search's own process, which trains; null = `execution.device`, or cpu where Ray "
            "workers score and there are no iterations",
        ),
    ] = None
    sample_every: Annotated[
        int,
        Field(
            ge=0,
            description="of `nas train`: steps between two sheets of pictures of the same prompts, the first 8 of "
            "`validation.captions`; 0 = none",
        ),
    ] = 500
    recovery_iterations: Annotated[int, Field(ge=0, description="steps without skipping, once the target is met")] = 0
    drop_probability: Annotated[Rate, Field(description="chance of each block to be skipped in a step")] = DEFAULT_RATE
    drop_probability_by_kind: Annotated[
        Mapping[str, Rate],
        Field(description='other chances for the blocks of a kind, such as {"resnet": 0.05}'),
    ] = field(default_factory=dict)
    drop_probability_by_stage: Annotated[
        Mapping[str, Rate],
        Field(
            description="other chances for the blocks of a stage, or of a kind and stage, such as "
            '{"up.3": 0.2, "cross_attention[down.0]": 0.5}: the paper\'s p(., I) may depend on the block'
        ),
    ] = field(default_factory=dict)
    drop_ramp: Annotated[
        float,
        Field(ge=0, le=1, description="share of the steps in which all chances rise from 0; 0 = they are full at once"),
    ] = 0.0
    drop_strategy: Annotated[
        StrategyName,
        Field(
            description="what a step trains: one sub-network (independent), or the full network, the smallest and "
            "random ones (sandwich)"
        ),
    ] = StrategyName.INDEPENDENT
    drop_num_random: Annotated[int, Field(ge=1, description="random sub-networks per step of the sandwich")] = 2
    min_snr_gamma: Annotated[
        float | None,
        Field(gt=0, description="of min-SNR weighting, which takes 5; null = every timestep counts the same"),
    ] = None
    distill_outputs: Annotated[
        float, Field(ge=0, description="how much the difference to the original UNet's predictions counts")
    ] = 0.0
    distill_features: Annotated[
        float, Field(ge=0, description="how much the difference to its stages' features counts, as in BK-SDM")
    ] = 0.0

    @property
    def skipping(self) -> Skipping:
        """Which blocks steps leave out, and how often."""
        return Skipping(
            strategy=self.drop_strategy,
            probability=self.drop_probability,
            by_kind=self.drop_probability_by_kind,
            by_stage=self.drop_probability_by_stage,
            ramp=self.drop_ramp,
            num_random=self.drop_num_random,
        )

    @model_validator(mode="after")
    def _needs_pictures(self) -> Self:
        if self.pictures is None and (self.iterations or self.recovery_iterations):
            raise UserError("`pictures` must name a folder of captioned pictures when there are training iterations")
        return self
