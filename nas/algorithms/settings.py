"""Settings of algorithms: what their papers leave to the reader, each with a default."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from nas.settings import settings
from search_spaces.files.user_error import UserError


@settings
class LimitSettings:
    """What an architecture must keep beside its target latency; null = no limit.

    Those of parameters and multiply-accumulates need no score: what breaks them is never scored. The worst allowed
    score is looked at when a round is scored: the search stops there, and hands over none that is worse.
    """

    max_params: Annotated[float | None, Field(gt=0, description="most parameters of the UNet, such as 6e8")] = None
    max_macs: Annotated[
        float | None, Field(gt=0, description="most multiply-accumulates of one UNet forward pass of one sample")
    ] = None
    min_clip: Annotated[float | None, Field(description="lowest CLIP score that a result may have")] = None
    worst_score: Annotated[
        float | None, Field(description="the same of another score than CLIP's, in its own unit and direction")
    ] = None

    @model_validator(mode="after")
    def _one_floor(self) -> Self:
        if self.min_clip is not None and self.worst_score is not None:
            raise UserError(
                f"`min_clip` ({self.min_clip}) and `worst_score` ({self.worst_score}) are two limits of one score; "
                "give one of them"
            )
        return self

    @property
    def has_most(self) -> bool:
        """Whether there is a most of something, so that a search without a target latency has something to reach."""
        return self.max_params is not None or self.max_macs is not None

    @property
    def floor(self) -> float | None:
        """The worst allowed score, by whichever name."""
        return self.min_clip if self.worst_score is None else self.worst_score


@settings
class EvolvingSettings:
    """The open points of Algorithm 1.

    Copies start when the target is met, one a round. With `overshoot` (the paper's literal reading) later rounds remove
    again what a copy cost. A neutral copy costs nothing to remove until it is trained, so that without `keep_copies` an
    overshooting A+ would be undone in the next round.
    """

    removals_per_round: Annotated[
        int, Field(ge=1, description="size of a group of A-; it ends early once the target is met")
    ] = 4
    max_copies: Annotated[int, Field(ge=0, description="A+ to execute in all; 0 = removals only")] = 1
    overshoot: Annotated[bool, Field(description="may an A+ lift the latency above the target for a while?")] = False
    keep_copies: Annotated[bool, Field(description="is a copied block safe from removal?")] = True
    max_rounds: Annotated[int, Field(ge=1, description="bound on rounds, each with a training and a scoring")] = 20
