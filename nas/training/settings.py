"""How weights are trained before each round; the paper leaves every number open."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from nas.pipelines.computing.execution import DEVICES, of_a_known_kind
from nas.settings import settings
from nas.training.data.settings import DataSettings
from search_spaces.files.user_error import UserError


@settings
class RobustTrainingSettings:
    """Training before each round; without iterations there is none."""

    pictures: Annotated[
        Path | None,
        Field(
            description="captioned pictures: a folder, COCO's JSON, *.tar, *.parquet (docs/pictures.md); must be given "
            "when there are iterations"
        ),
    ] = None
    data: DataSettings = DataSettings()
    iterations: Annotated[int, Field(ge=0, description="training steps per round")] = 0
    recovery_iterations: Annotated[int, Field(ge=0, description="steps without skipping, once the target is met")] = 0
    drop_probability: Annotated[
        float, Field(ge=0, lt=1, description="chance of each block to be skipped in a step")
    ] = 0.1
    drop_probability_by_stage: Annotated[
        Mapping[str, Annotated[float, Field(ge=0, lt=1)]],
        Field(
            description='other chances for the blocks of a kind and stage, such as {"cross_attention[down.0]": 0.5}: '
            "the paper's p(., I) may depend on the block"
        ),
    ] = field(default_factory=dict)
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

    @model_validator(mode="after")
    def _needs_pictures(self) -> Self:
        if self.pictures is None and (self.iterations or self.recovery_iterations):
            raise UserError("`pictures` must name a folder of captioned pictures when there are training iterations")
        return self
