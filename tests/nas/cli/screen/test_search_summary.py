"""The numbers at the end of a search: how sure they are, and when they tell nothing."""

from dataclasses import replace

import pytest

from nas.algorithms.steps import StopReason
from nas.cli.screen.search_summary import noise, score_lines
from nas.runs.comparison import Comparison
from nas.runs.spec import FoundArchitecture
from nas.scores.intervals import Interval
from tests.nas.synthetic import shapes_space


def interval(mean: float, half: float, *, num_prompts: int = 20) -> Interval:
    return Interval(mean=mean, low=mean - half, high=mean + half, num_prompts=num_prompts, confidence=0.95)


SURE = Comparison(loss=interval(0.02, 0.01), same_weights=False, num_actions=38, num_told_apart=20)
FOUND = FoundArchitecture(
    architecture=shapes_space().base,
    round=2,
    stop=StopReason.CONVERGED,
    target_met=True,
    actions=(),
    base_latency_ms=35.0,
    predicted_latency_ms=20.0,
    target_latency_ms=21.0,
    base_clip=interval(0.9, 0.02),
    clip=interval(0.88, 0.03),
    digests={},
)


def test_scores_have_their_intervals_their_difference_and_their_weights() -> None:
    assert score_lines(FOUND, SURE, score="clip") == [
        "CLIP (selection scores, 20 prompts, 95% intervals): base 0.9000 [0.8800, 0.9200] -> found 0.8800 [0.8500, "
        "0.9100]; the base was scored with the weights of the first round, the found one with round 2's",
        "lost per prompt, paired: +0.0200 [+0.0100, +0.0300]: worse",
    ]
    same = score_lines(replace(FOUND, start=FOUND.architecture), replace(SURE, same_weights=True), score="mine")
    assert same[0].startswith("mine (selection scores, 20 prompts, 95% intervals): start 0.9000")
    assert same[0].endswith("both were scored with the same weights")


@pytest.mark.parametrize(
    ("loss", "word"),
    [
        (interval(-0.02, 0.01), "better"),
        (interval(0.02, 0.03), "no difference that these prompts can show"),
        (interval(0.02, float("inf")), "no difference that these prompts can show"),
    ],
)
def test_a_difference_is_called_what_its_interval_says(loss: Interval, word: str) -> None:
    assert score_lines(FOUND, replace(SURE, loss=loss), score="clip")[1].endswith(f": {word}")


def test_scores_that_a_store_lacks_have_no_difference() -> None:
    assert len(score_lines(FOUND, replace(SURE, loss=None), score="clip")) == 1


def test_scores_that_tell_nothing_are_called_noise() -> None:
    base = FOUND.base_clip
    assert noise(base, SURE, score="clip") is None
    assert "1 prompt has no interval" in str(noise(interval(0.9, float("inf"), num_prompts=1), SURE, score="clip"))
    random_weights = interval(0.04, 3.0)
    assert "covers 0" in str(noise(random_weights, SURE, score="clip"))
    assert noise(random_weights, SURE, score="mine") is None, "0 is a number like any other of another score"
    blind = replace(SURE, num_told_apart=3)
    said = "of the 38 actions scored first, {} surely changed the score, where chance alone gives 2"
    assert said.format(3) in str(noise(base, blind, score="clip"))
    assert said.format("none") in str(noise(base, replace(SURE, num_told_apart=0), score="clip"))
    assert noise(base, replace(SURE, num_told_apart=4), score="clip") is None
    assert noise(base, replace(SURE, num_actions=0, num_told_apart=0), score="clip") is None
    found = replace(FOUND, base_clip=random_weights)
    assert score_lines(found, SURE, score="clip")[-1].startswith("warning: the interval of the CLIP score")
