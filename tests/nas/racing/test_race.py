"""Races: the laws that hold for each of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.algorithms.value_score import ScoredAction, ranked
from nas.racing.comparisons import Tolerance, surely_no_worse
from nas.racing.race import Direction, Race, Verdict, exhaustive
from nas.racing.settings import RacingSettings
from nas.scores.intervals import paired_loss
from search_spaces import Action
from tests.leisure import examples
from tests.nas.racing.simulated import decades, normal, race, reference
from tests.nas.synthetic import shapes_space

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
@examples(50)
def test_two_contestants_never_race_longer_for_more_indifference(seed: int, one: float, other: float) -> None:
    losses = np.random.default_rng(seed).normal([[0.0], [0.1]], 1, (2, 128))
    used = [
        race(losses, np.ones(2), num_places=1, settings=RacingSettings(indifference=indifference)).num_prompts[0]
        for indifference in sorted([one, other])
    ]
    assert used[1] <= used[0]


# --- laws


@given(SEEDS, st.integers(1, 12), st.integers(1, 40), st.integers(1, 6), st.booleans(), st.sampled_from(Direction))
@examples(60)
def test_a_race_that_is_never_sure_is_exhaustive_scoring(
    seed: int, num: int, num_prompts: int, num_places: int, ordered: bool, direction: Direction
) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = rng.integers(-2, 3, (num, num_prompts)) / 4, rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0], num)
    never = RacingSettings(confidence=1 - 1e-15, min_prompts=max(2, num_prompts))
    verdict = race(losses, saved_ms, num_places=num_places, direction=direction, ordered=ordered, settings=never)
    assert verdict.selected == reference(losses, saved_ms, num_places=num_places, direction=direction)


@given(SEEDS, st.booleans(), st.sampled_from(Direction), st.floats(0, 0.1))
@examples(60)
def test_a_race_ends_with_full_places_and_bounded_pictures(
    seed: int, ordered: bool, direction: Direction, latency_error: float
) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 12, 60), rng.lognormal(0, 0.7, 12)
    verdict = race(losses, saved_ms, direction=direction, ordered=ordered, latency_error=latency_error)
    assert len(set(verdict.selected)) == len(verdict.selected) == 4
    assert all(16 <= num <= 60 and (num % 8 == 0 or num == 60) for num in verdict.num_prompts.values())
    assert all(chosen in verdict.selected for chosen, _ in verdict.ties)
    if not ordered:
        assert all(displaced not in verdict.selected for _, displaced in verdict.ties)


@given(SEEDS, st.booleans())
@examples(30)
def test_the_order_of_contestants_does_not_matter(seed: int, ordered: bool) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10)

    def verdict(names: list[int]) -> Verdict[int]:
        racing = Race(
            {name: saved_ms[name] for name in names}, num_prompts=64, chunk_size=8, num_places=3, ordered=ordered
        )
        while not racing.finished:
            look = racing.next_look()
            mine = [name for name in names if name in look.contestants]
            racing.observe({name: losses[name, : look.num_prompts].tolist() for name in mine})
        return racing.verdict

    assert verdict(rng.permutation(10).tolist()) == verdict(list(range(10)))


@given(SEEDS, st.integers(-10, 10), st.sampled_from([0.0, 0.05]))
@examples(30)
def test_the_unit_of_the_loss_does_not_matter(seed: int, power: int, latency_error: float) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms, unit = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10), 2.0**power
    verdicts = [
        race(scale * losses, saved_ms, latency_error=latency_error, settings=RacingSettings(indifference=scale * 1e-3))
        for scale in (1.0, unit)
    ]
    assert verdicts[0] == verdicts[1]


@given(SEEDS)
@examples(30)
def test_the_shared_base_does_not_matter_when_all_save_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), np.full(10, 0.5)
    assert race(losses + rng.normal(size=64), saved_ms) == race(losses, saved_ms)


@given(SEEDS, st.sampled_from([0.0, 0.05]), st.sampled_from([0.0, 0.003]))
@examples(30)
def test_the_lowest_are_the_highest_of_the_negated(seed: int, latency_error: float, indifference: float) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10)
    options: dict[str, Any] = {
        "latency_error": latency_error,
        "settings": RacingSettings(indifference=indifference),
    }
    lowest = race(losses, saved_ms, **options)
    assert race(-losses, saved_ms, direction=Direction.HIGHEST, **options) == lowest


@pytest.mark.parametrize(
    ("ordered", "num", "comparisons"), [(False, 4, 4 * 6), (True, 4, 4 * 6 + 6), (True, 9, 9 * 1 + 36)]
)
def test_the_chance_to_err_is_shared_by_all_comparisons_that_can_decide(
    ordered: bool, num: int, comparisons: int
) -> None:
    """4 of 10 meet the other 6, and each other where their order counts; with a tolerance all 45 pairs may."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        losses, saved_ms = normal(rng, 10, 256), np.ones(10)
        losses += np.linspace(0, 2, 10)[:, None]  # so far apart that the chance to err says how soon all are told apart
        for share in (0.0005, 0.005):
            nums = [
                race(losses, saved_ms, num_places=num, ordered=ordered, settings=each).num_prompts
                for each in (
                    RacingSettings(confidence=1 - share * comparisons),
                    RacingSettings(confidence=1 - share * 45, indifference=1e-12),
                )
            ]
            assert nums[0] == nums[1]


def test_the_reference_ranks_as_value_scores_do() -> None:
    space, rng = shapes_space(), np.random.default_rng(0)
    actions = space.removals(space.base)
    before, scores = rng.random(24), {action: rng.random(24) for action in actions}
    saved_ms = dict(zip(actions, rng.uniform(-0.1, 1, len(actions)).tolist(), strict=True))
    ranking = ranked(
        ScoredAction(action=a, d_clip=paired_loss(before.tolist(), scores[a].tolist()), d_latency_ms=saved_ms[a])
        for a in actions
    )
    losses = {action: (before - scores[action]).tolist() for action in actions}
    useful = tuple(scored.action for scored in ranking if scored.d_latency_ms > 0)
    assert exhaustive(losses, saved_ms=saved_ms, num_places=99) == useful
    assert exhaustive(losses, saved_ms=saved_ms, num_places=99, direction=Direction.HIGHEST) == useful[::-1]


# --- zeros, ties, edges


def test_the_harmful_leave_at_once_and_equals_race_to_the_end() -> None:
    losses = np.random.default_rng(0).exponential([[0.0], [0.0], [0.0], [1.0], [1.0]], (5, 64))
    verdict = race(losses, np.array([1.0, 0.5, 2.0, 1.0, 1.0]), num_places=2)
    assert verdict.selected == (0, 1)
    assert verdict.num_prompts == {0: 64, 1: 64, 2: 64, 3: 16, 4: 16}
    assert verdict.ties == ((0, 2), (1, 2))


def test_indifference_ends_a_race_of_equals() -> None:
    losses = np.random.default_rng(0).exponential([[0.0], [0.0], [0.0], [1.0], [1.0]], (5, 64))
    verdict = race(losses, np.ones(5), num_places=2, settings=RacingSettings(indifference=0.001))
    assert verdict.selected == (0, 1)
    assert max(verdict.num_prompts.values()) == 24  # only once the spread of the harmful has left the race
    assert verdict.ties == ((0, 2), (1, 2))


def test_values_within_the_tables_error_are_a_tie() -> None:
    rng = np.random.default_rng(0)
    losses = np.array([[1.0], [1.02], [3.0]]) + 0.1 * rng.normal(size=(3, 256))
    exact, loose = (race(losses, np.ones(3), num_places=1, latency_error=error) for error in (0.0, 0.05))
    assert exact.ties == ()
    assert loose.ties == ((0, 1),)
    assert loose.selected == (0,)
    assert sum(loose.num_prompts.values()) < sum(exact.num_prompts.values())


def test_a_clean_record_of_few_prompts_is_no_proof_where_others_fail() -> None:
    rng = np.random.default_rng(0)
    losses = np.vstack([np.zeros(16), np.full(16, 0.01) + 1e-6 * rng.normal(size=16), rng.exponential(1, (6, 16))])
    options: dict[str, Any] = {"num_prompts": 512, "error": 1e-4, "tolerance": Tolerance()}
    assert surely_no_worse(losses[:2], saved_ms=np.ones(2), **options)[0, 1]
    assert not surely_no_worse(losses, saved_ms=np.ones(8), **options)[0, 1]


def test_who_saves_nothing_is_never_scored() -> None:
    verdict = race(np.random.default_rng(0).normal(size=(3, 32)), np.array([0.0, 1.0, -0.5]), num_places=3)
    assert verdict.selected == (1,)
    assert verdict.num_prompts == {0: 0, 1: 16, 2: 0}
    assert Race({}, num_prompts=8, chunk_size=8, num_places=1).finished


def test_a_race_takes_actions() -> None:
    actions = [Action.parse("-resnet[mid,0]"), Action.parse("-resnet[mid,1]")]
    racing = Race(dict.fromkeys(actions, 1.0), num_prompts=8, chunk_size=4, num_places=1)
    look = racing.next_look()
    racing.observe(dict(zip(look.contestants, ([0.5] * 8, [0.25] * 8), strict=True)))
    assert racing.verdict.selected == (actions[1],)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, "confidence: must be less than 1, but got 1.0"),
        ({"min_prompts": 1}, "min_prompts: must be greater than or equal to 2, but got 1"),
        ({"growth": 0.9}, "growth: must be greater than or equal to 1, but got 0.9"),
        ({"indifference": -0.1}, "indifference: must be greater than or equal to 0, but got -0.1"),
    ],
)
def test_settings_are_checked(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RacingSettings(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_prompts": 0}, "`num_prompts` of a race must be at least 1, but got 0"),
        ({"num_places": 0}, "`num_places` of a race must be at least 1, but got 0"),
        ({"latency_error": 1.0}, r"`latency_error` is relative and must lie in \[0, 1\), but got 1.0"),
    ],
)
def test_a_race_checks_what_it_is_about(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Race({0: 1.0}, **{"num_prompts": 8, "chunk_size": 4, "num_places": 1, **options})


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({0: [0.0] * 8}, r"1 are missing \(\[1\]\)"),
        ({0: [0.0] * 8, 1: [0.0] * 8, 7: [0.0]}, r"1 are not asked for \(\[7\]\)"),
        ({0: [0.0] * 8, 1: [0.0] * 4}, r"the first 8 prompts, but got \{1: 4\}"),
        ({0: [0.0] * 8, 1: [float("nan")] * 8}, r"those of \[1\] are not"),
    ],
)
def test_a_look_takes_the_losses_that_it_asked_for(losses: dict[int, list[float]], message: str) -> None:
    racing = Race({0: 1.0, 1: 1.0}, num_prompts=8, chunk_size=4, num_places=1)
    with pytest.raises(ValueError, match=message):
        racing.observe(losses)
