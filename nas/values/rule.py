"""The rules by which an action's loss is weighed, and what counts as nothing."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Final

from search_spaces.files.user_error import UserError

UNTOLD: Final = "two to three"  # times an expected loss were lost where the truth is known: `nas.values.certainty`
ERRORS: Final = 1.0  # z: standard errors that a bound lies from the mean; docs/decisions_under_noise.md measures others


class Rule(StrEnum):
    """How a loss is weighed before it is divided by the milliseconds saved; the formulas are in `nas.values.weighing`.

    `PAPER` takes the mean as it is (SnapFusion, Algorithm 1). `UPPER_BOUND` takes the mean or 0, whichever is more, and
    standard errors on top. `POSTERIOR` takes the mean of what is believed after all of a round's scores.
    """

    PAPER = "paper"
    UPPER_BOUND = "upper_bound"
    POSTERIOR = "posterior"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueRule:
    """How actions are valued.

    Attributes:
        rule: How a loss is weighed.
        indifference: e, in the score's unit: losses below it are alike, and the larger saving goes first. `PAPER`
            ranks without it; how sure its decisions are is said up to it all the same.
    """

    rule: Rule = Rule.PAPER
    indifference: float = 0.0

    @property
    def breaks_ties(self) -> bool:
        """Whether equal values are settled by what they save, instead of by the actions' names alone."""
        return self.rule is not Rule.PAPER

    def __post_init__(self) -> None:
        if not (isfinite(self.indifference) and self.indifference >= 0):
            raise UserError(f"`indifference` must be finite and at least 0, but got {self.indifference}")
