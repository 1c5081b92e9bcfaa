"""One action beside another, as the search that weighed losses sees them: what is free is surely as good."""

from math import isnan
from typing import Any

import pytest

from nas.runs.frames.beliefs import RoundBelief, rule_of
from nas.scores.intervals import mean_interval
from nas.values.rule import Rule, ValueRule

RULE = ValueRule(rule=Rule.POSTERIOR, indifference=0.0005)


def event(action: str, *losses: float, saved_ms: float) -> dict[str, Any]:
    interval = mean_interval(losses)
    fields = ("mean", "low", "high", "num_prompts", "confidence")
    return {"action": action, "d_clip": {f: getattr(interval, f) for f in fields}, "d_latency_ms": saved_ms}


@pytest.fixture
def belief() -> RoundBelief:
    made = RoundBelief.of(
        [
            event("-free", *[1e-5, -1e-5, 2e-5, 0.0] * 4, saved_ms=1.5),
            event("-lucky", *[-0.02, 0.01, -0.015, 0.005] * 4, saved_ms=0.6),
            event("-dear", *[0.1, 0.2, 0.15, 0.12] * 4, saved_ms=2.0),
            event("-slower", *[0.0, 0.1] * 8, saved_ms=-0.1),
        ],
        RULE,
    )
    assert made is not None
    return made


def test_what_is_free_is_surely_as_good_as_a_lucky_one_that_saves_less(belief: RoundBelief) -> None:
    assert belief.chance("-free", "-lucky", highest=False) > 0.99
    assert belief.chance("-lucky", "-free", highest=False) < 0.01
    assert belief.value("-free", highest=False) < belief.value("-lucky", highest=False)


def test_of_copies_the_dear_block_is_surely_the_better(belief: RoundBelief) -> None:
    assert belief.chance("-dear", "-lucky", highest=True) > 0.95
    assert belief.value("-dear", highest=True) > belief.value("-lucky", highest=True)


def test_what_saves_nothing_or_was_never_scored_is_not_compared(belief: RoundBelief) -> None:
    assert isnan(belief.chance("-free", "-slower", highest=False))
    assert isnan(belief.value("-none", highest=False))


def test_a_search_by_the_mean_weighs_nothing() -> None:
    assert rule_of({}) is None
    assert rule_of({"search": {"value": "paper", "indifference": 0.1}}) is None
    assert RoundBelief.of([event("-a", 0.1, 0.2, saved_ms=1.0)], None) is None
    assert rule_of({"search": {"value": "posterior", "indifference": 0.0005}}) == RULE
