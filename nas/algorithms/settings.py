"""Settings of algorithms: what their papers leave to the reader, each with a default."""

from typing import Annotated

from pydantic import Field

from nas.settings import settings
from nas.values.rule import Rule, ValueRule


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
