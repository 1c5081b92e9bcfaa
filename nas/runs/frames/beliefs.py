"""What is believed of a round's losses, where the search decided by that: one action beside another, by its trace."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any, Self

import numpy as np

from nas.scores.intervals import Interval
from nas.values.belief import Belief
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Floats, Losses
from nas.values.weighing import values
from search_spaces.files.user_error import UserError

Event = Mapping[str, Any]


def rule_of(config: Mapping[str, Any], /) -> ValueRule | None:
    """By what a search weighed losses; None where it took the mean as it is, as versions did that knew no other.

    Raises:
        UserError: The config says it in no way that this version knows.
    """
    search = config.get("search")
    if not isinstance(search, Mapping):
        return None
    named, floor = search.get("value", Rule.PAPER), search.get("indifference", 0.0)
    try:
        return None if Rule(named) is Rule.PAPER else ValueRule(rule=Rule(named), indifference=float(floor))
    except (TypeError, ValueError) as error:
        raise UserError(
            f"`search.value` must be one of {', '.join(Rule)} and `search.indifference` a number, but the run's config "
            f"has {named!r} and {floor!r}; open it with the version that wrote it, or mend its config.yaml"
        ) from error


def weighed_values(events: Sequence[Event], rule: ValueRule | None, /) -> dict[tuple[int, str], float]:
    """Weighed loss per millisecond saved by (round, removal); {} where the mean itself counted.

    Args:
        events: Of a trace.
        rule: Of the search.
    """
    scored: dict[int, list[Event]] = {}
    for event in events:
        if event["event"] == "evaluation" and event["action"] is not None:
            scored.setdefault(event["round"], []).append(event)
    beliefs = {number: RoundBelief.of(each, rule) for number, each in scored.items()}
    return {
        (number, event["action"]): value
        for number, belief in beliefs.items()
        if belief is not None
        for event in scored[number]
        if not isnan(value := belief.value(event["action"], highest=False))
    }


class RoundBelief:
    """The scored removals of a round that save time and have prompts enough, as a rule weighs them.

    Args:
        events: Their evaluations.
        rule: Of the search.
    """

    def __init__(self, events: Sequence[Event], rule: ValueRule, /) -> None:
        self._names = [event["action"] for event in events]
        self._floor = rule.indifference
        self._losses = Losses.of(
            [Interval(**event["d_clip"]) for event in events], saved_ms=[event["d_latency_ms"] for event in events]
        )
        self._draws: Floats = Belief.after(self._losses).draws()
        self._values = {highest: values(self._losses, rule, highest=highest) for highest in (False, True)}

    @classmethod
    def of(cls, events: Sequence[Event], rule: ValueRule | None, /) -> Self | None:
        """None without a rule, or where it has nothing to weigh."""
        fit = [event for event in events if event["d_latency_ms"] > 0 and event["d_clip"]["num_prompts"] > 1]
        return None if rule is None or not fit else cls(fit, rule)

    def value(self, action: str, /, *, highest: bool) -> float:
        """Weighed loss per millisecond saved; NaN of an action that is not among them."""
        if action not in self._names:
            return nan
        return float(self._values[highest][self._names.index(action)])

    def chance(self, action: str, rival: str, /, *, highest: bool) -> float:
        """How likely an action's true value is as good as a rival's; of removals, small losses being alike."""
        if not {action, rival} <= set(self._names):
            return nan
        truths = self._draws if highest else np.maximum(self._draws, self._floor)
        one, other = (truths[:, i] / self._losses.saved_ms[i] for i in map(self._names.index, (action, rival)))
        return float((one >= other if highest else one <= other).mean())
