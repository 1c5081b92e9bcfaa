"""Settings of algorithms: what their papers leave to the reader, each with a default."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from nas.settings import settings
from nas.values.rule import Rule, ValueRule
from search_spaces.files.user_error import UserError

EVOLVING: Final = "evolving"  # Algorithm 1, whose settings stand in the section `search` itself
OUTPUT_CHANGE: Final = "output_change"  # the score that screens where nothing else is said
SQUARES: Final = (OUTPUT_CHANGE, "clip_change")  # scores that are squares of a distance; a belief takes up these


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
    min_clip: Annotated[
        float | None, Field(ge=-1, le=1, description="lowest CLIP score, a cosine, that a result may have")
    ] = None
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
    value: Annotated[
        Rule,
        Field(description="how a loss is weighed: posterior and upper_bound doubt a few prompts, paper takes the mean"),
    ] = Rule.POSTERIOR
    indifference: Annotated[
        float, Field(ge=0, description="score that counts as nothing: of smaller losses the larger saving goes first")
    ] = 0.0005
    max_rounds: Annotated[int, Field(ge=1, description="bound on rounds, each with a training and a scoring")] = 20

    @property
    def value_rule(self) -> ValueRule:
        """How actions are valued."""
        return ValueRule(rule=self.value, indifference=self.indifference)


class Screen(StrEnum):
    """What a cheap score may decide before a contest.

    OFF: nothing; every action gets prompts.
    FREE: an action that provably changes nothing gets none.
    SHORTLIST: and of the others only those get prompts that change least for a millisecond.
    ALONE: everything; no action gets a prompt.
    """

    OFF = "off"
    FREE = "free"
    SHORTLIST = "shortlist"
    ALONE = "alone"


@settings
class ScoringSettings:
    """Which actions are worth prompts: a cheap score screens them first; see docs/scores.md."""

    screen: Annotated[Screen, Field(description="what the cheap score decides: off, free, shortlist or alone")] = (
        Screen.OFF
    )
    by: Annotated[str, Field(description="the cheap score; `nas plugins` lists them")] = OUTPUT_CHANGE
    settings: Annotated[
        Mapping[str, Any],
        Field(description="its own; a distance is taken to the round's network unless `reference` says otherwise"),
    ] = field(default_factory=dict)
    num_prompts: Annotated[int, Field(ge=2, description="the first so many prompts, at most all, are screened on")] = 16
    tolerance: Annotated[
        float, Field(ge=0, description="a distance that is surely smaller counts as no change, in the score's unit")
    ] = 1e-4
    shortlist: Annotated[
        int, Field(ge=1, description="actions that get prompts; never fewer than there are places left")
    ] = 14
