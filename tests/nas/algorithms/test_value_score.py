"""The value score: what ranks before what."""

from itertools import permutations

import pytest

from nas.algorithms.value_score import ScoredAction, ranked
from nas.scores.intervals import Interval
from search_spaces import Action


def scored(action: str, d_clip: float, d_latency_ms: float) -> ScoredAction:
    interval = Interval(mean=d_clip, low=d_clip - 1, high=d_clip + 1, num_prompts=4, confidence=0.9)
    return ScoredAction(action=Action.parse(action), d_clip=interval, d_latency_ms=d_latency_ms)


def test_the_value_is_clip_lost_per_millisecond_saved() -> None:
    assert scored("-resnet[mid,0]", 0.03, 1.5).value == pytest.approx(0.02)


@pytest.mark.parametrize("d_clip", [-0.5, 0.0, 0.5])
@pytest.mark.parametrize("d_latency_ms", [0.0, -0.1])
def test_a_removal_that_saves_nothing_is_never_cheap(d_clip: float, d_latency_ms: float) -> None:
    assert scored("-resnet[mid,0]", d_clip, d_latency_ms).value == float("inf")


def test_the_cheapest_loss_stands_first_and_gains_before_losses() -> None:
    gain, cheap = scored("-resnet[up.0,0]", -0.1, 1.0), scored("-resnet[mid,0]", 0.1, 2.0)
    dear, useless = scored("-resnet[mid,1]", 0.1, 1.0), scored("-resnet[down.0,0]", -9.0, 0.0)
    assert ranked([useless, dear, gain, cheap]) == (gain, cheap, dear, useless)


def test_equal_values_rank_alike_however_they_arrive() -> None:
    equal = [
        scored("-resnet[up.1,0]", 0.1, 1.0),
        scored("-cross_attention[up.1,0]", 0.1, 1.0),
        scored("-resnet[down.1,0]", 0.2, 2.0),
        scored("-resnet[down.1,1]", 0.0, 0.0),
        scored("-resnet[down.0,1]", 5.0, 0.0),
    ]
    assert len({ranked(order) for order in permutations(equal)}) == 1
