"""How sure a race must be, and how often it looks."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from nas.settings import settings


class RacingRule(StrEnum):
    """When a race ends, and who gets the next prompts.

    `EXPECTED_LOSS` ends once perfect knowledge would save no more than the tolerance, and asks about those whose
    doubtful place costs most (`nas.racing.opportunity`). `ELIMINATION` looks for exhaustive scoring's own choice, and
    asks about all that are not surely in or out (`nas.racing.race`).
    """

    EXPECTED_LOSS = "expected_loss"
    ELIMINATION = "elimination"


@settings
class RacingSettings:
    """How soon an action gets no more prompts: how sure a race must be, and how often it looks; see docs/racing.md."""

    enabled: Annotated[
        bool, Field(description="false = exhaustive scoring; elimination always scores the stock space so")
    ] = True
    rule: Annotated[
        RacingRule,
        Field(description="expected_loss: until a wrong choice would cost nothing; elimination: until all are decided"),
    ] = RacingRule.EXPECTED_LOSS
    tolerance: Annotated[
        float,
        Field(ge=0, description="score that more prompts must be able to save, or the race ends; of expected_loss"),
    ] = 0.001
    confidence: Annotated[
        float,
        Field(gt=0, lt=1, description="chance that no comparison of a race is wrong, over all contestants and looks"),
    ] = 0.95
    min_prompts: Annotated[
        int,
        Field(ge=2, description="prompts before the first look; nothing protects from what hits fewer than these show"),
    ] = 16
    growth: Annotated[
        float, Field(ge=1, description="ratio of the prompts at one look to those at the look before")
    ] = 1.3
    indifference: Annotated[
        float,
        Field(
            ge=0,
            description="CLIP score that a chosen action may lose more than a displaced one would for the same saving; "
            "0 looks for exhaustive scoring's own choice",
        ),
    ] = 0.0
