"""How weights are trained before each round; the paper leaves every number open."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from nas.pipelines.computing.execution import DEVICES, of_a_known_kind
from nas.settings import settings
from nas.training.skipping.settings import DEFAULT_RATE, Rate, Skipping, StrategyName
from search_spaces.files.user_error import UserError


@settings
class RobustTrainingSettings:
    """Training before each round; without iterations there is none."""

    pictures: Annotated[
        Path | None,
        Field(description="folder of captioned pictures (docs/pictures.md); must be given when there are iterations"),
    ] = None
    iterations: Annotated[int, Field(ge=0, description="training steps per round")] = 0
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
    batch_size: Annotated[int, Field(ge=1, description="pictures per step")] = 32
    learning_rate: Annotated[
        float, Field(gt=0, description="peak of AdamW's rate, after a linear warm-up over a tenth of the steps")
    ] = 1e-4
    device: Annotated[
        str | None,
        Field(
            pattern=DEVICES.pattern,
            description="of the search's own process, which trains; null = `execution.device`, or cpu where Ray "
            "workers score and there are no iterations",
        ),
    ] = None
    weight_decay: Annotated[float, Field(ge=0, description="AdamW's")] = 0.01
    caption_dropout: Annotated[
        float, Field(ge=0, le=1, description="share of empty captions, which classifier-free guidance needs")
    ] = 0.1
    max_grad_norm: Annotated[float, Field(gt=0, description="gradients are clipped to this norm")] = 1.0

    _known_kind = field_validator("device", mode="before")(of_a_known_kind)

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
