"""Fronts at equal passes: what a search saw, what is on its front, and the numbers that are told of it."""

# fast: made-up tables, no model
from typing import Any

import pandas as pd
import pytest

from experiments.fronts.recovered import MOST, chosen
from experiments.fronts.recovered import markdown as recovery_told
from experiments.fronts.searching import BATCH, FRONT, TARGETS, best_within, compared, front, problem_of, searched
from experiments.fronts.telling import markdown, volumes
from nas.tabular.space import TabularSpace
from tests.nas.made_up_table import NUM, made_up

TABLE = made_up()
NUM_EVALUATIONS = 14


def seen_by(name: str, /, *, seed: int = 0) -> Any:
    """What an algorithm scores of a table."""
    algorithm = compared(NUM_EVALUATIONS, NUM)[name]
    prices = TABLE.latency_ms.tolist()
    problem = problem_of(TabularSpace(TABLE), lambda row: prices[row.mask], algorithm, name=name, seed=seed)
    asked: Any = lambda some: {each: tuple(TABLE.scores[each.mask]) for each in some}  # noqa: E731
    return searched(problem, algorithm, scores_of=asked)


@pytest.mark.parametrize("name", compared(NUM_EVALUATIONS, NUM))
def test_a_search_sees_the_base_first_each_once_and_no_more_than_it_may(name: str) -> None:
    seen = seen_by(name)
    masks = [each.architecture.mask for each in seen]
    assert masks[0] == 0
    assert len(set(masks)) == len(masks)
    for each in seen:
        assert each.share == TABLE.latency_ms[each.architecture.mask] / TABLE.latency_ms[0]
        assert each.score == pytest.approx(TABLE.means[each.architecture.mask])
    if name != "evolving":  # whose rounds are as many as its way is long
        assert len(seen) <= 1 + NUM_EVALUATIONS
    if name in ("local_search", "TPE"):
        for target in TARGETS:
            assert sum(each.share <= target for each in seen) >= BATCH, "each target was aimed at"
        assert [each.architecture.mask for each in seen_by(name, seed=1)] != masks
    if name == FRONT:
        assert all(each.share <= TARGETS[0] for each in seen[1:])


def test_a_front_is_what_nothing_beats_and_the_best_of_a_share_stands_on_it() -> None:
    seen = seen_by("random_search")
    kept = front(seen)
    for each in seen:
        beaten = any(
            (other.share, -other.score) != (each.share, -each.score)
            and other.share <= each.share
            and other.score >= each.score
            for other in seen
        )
        assert (each in kept) == (not beaten)
    for share in (TARGETS[0], TARGETS[-1]):
        best = best_within(seen, share)
        assert best.score == max(each.score for each in seen if each.share <= share)


def test_volumes_are_shares_of_all_that_was_scored_and_keep_what_a_short_search_had() -> None:
    rows = [("a", 0, 0, 1.0, 0.8), ("a", 0, 1, 0.5, 0.6), ("a", 0, 2, 0.75, 0.8), ("b", 0, 0, 1.0, 0.8)]
    rows += [("b", 0, 1, 0.5, 0.4), ("b", 1, 0, 1.0, 0.8), ("b", 1, 1, 0.5, 0.7)]
    courses = pd.DataFrame(rows, columns=["algorithm", "seed", "num", "share", "score"])
    fronts = courses.assign(held_out=courses["score"] - 0.1)
    told: Any = volumes(courses, fronts, at=[1, 2]).set_index("algorithm").to_dict("index")
    most = 0.5 * 0.3 + 0.25 * 0.1  # up to a share of 1, from the worst score on
    assert told["a"]["volume_1"] == pytest.approx(0.5 * 0.2 / most)
    assert told["a"]["volume_2"] == pytest.approx((0.5 * 0.2 + 0.25 * 0.2) / most)
    assert told["b"]["volume_1"] == told["b"]["volume_2"] == pytest.approx((0.0 + 0.5 * 0.3) / 2 / most)
    assert told["b"]["held_out_spread"] == pytest.approx(0.5 * 0.3 / 2 / most)
    assert (told["a"]["scored"], told["b"]["scored"]) == (2, 1)
    assert (told["a"]["best"], told["b"]["best"]) == pytest.approx((0.6, 0.55))
    assert (told["a"]["best_held_out"], told["b"]["best_held_out"]) == pytest.approx((0.5, 0.45))
    assert told["a"]["volume_own"] == told["a"]["volume_2"]
    lines = markdown(volumes(courses, fronts, at=[1, 2]), at=[1, 2]).splitlines()
    assert lines[2].startswith("| `a` | 0.571 | 0.857 |")
    assert "(1 scored)" in lines[3]
    assert "0.429 ± 0.429" in lines[3], "two seeds: a deviation"
    assert lines[2].endswith("| 0.600 | 0.500 |")
    assert lines[3].endswith("| 0.550 | 0.450 ± 0.150 |")


def test_of_each_front_the_best_that_is_quick_enough_recovers() -> None:
    rows = [("a", 0, 0.6, 0.5), ("a", 0, MOST, 0.7), ("a", 0, MOST + 0.01, 0.9), ("a", 1, 0.5, 0.4), ("b", 0, 0.9, 0.8)]
    best = chosen(pd.DataFrame(rows, columns=["algorithm", "seed", "share", "score"]))
    assert best.to_records(index=False).tolist() == [("a", 0, MOST, 0.7), ("a", 1, 0.5, 0.4)]


def test_a_recovery_is_told_by_algorithm_and_how_alike_the_orders_are() -> None:
    rows = [("a", 0, 0.6, 0.7, 0.6, 0.8), ("a", 1, 0.7, 0.5, 0.4, 0.6), ("b", 0, 0.65, 0.6, 0.3, 0.5)]
    best = pd.DataFrame(rows, columns=["algorithm", "seed", "share", "score", "before", "after"])
    told = recovery_told(best, before=0.9, after=0.95).splitlines()
    assert told[2:5] == [
        "| `a` | 65.0% | 0.600 ± 0.100 | 0.500 ± 0.100 | 0.700 ± 0.100 |",
        "| `b` | 65.0% | 0.600 | 0.300 | 0.500 |",
        "| the base | 100.0% | | 0.900 | 0.950 |",
    ]
    assert "1.00 of all 3, 1.00 of the algorithms' means" in told[-1]
    flipped = recovery_told(best.assign(after=-best["before"]), before=0.9, after=0.95)
    assert "-1.00 of all 3, -1.00 of the algorithms' means" in flipped
