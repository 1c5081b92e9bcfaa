"""Re-ranking behind the door: growing trainings from one digest, halving, and the order that comes of it."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.problem import Problem
from nas.algorithms.reranking import Reranking, RerankingSettings
from nas.algorithms.steps import FIRST, Finish, Recipe, Score, StopReason, Train, Trained
from nas.scores.intervals import mean_interval
from nas.settings import SettingsError
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.playing import SMALL_UNET, MacsMs, made_up, play
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError

SPACE = space_from_config(SMALL_UNET, max_copies=1)
PRICE_MS = MacsMs(SPACE)


def some(num: int) -> list[Any]:
    rng = np.random.default_rng(0)
    found: dict[Any, None] = {}
    while len(found) < num:
        found[SPACE.sample(rng)] = None
    return list(found)


FINALISTS = some(5)


def settings(**changed: Any) -> RerankingSettings:
    return RerankingSettings(**{"finalists": tuple(each.to_dict() for each in FINALISTS), **changed})


def problem(given: RerankingSettings, **parts: Any) -> Problem[RerankingSettings]:
    return Problem(space=SPACE, price_ms=PRICE_MS, target_latency_ms=10 * PRICE_MS(SPACE.base), settings=given, **parts)


class TestReranking(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        return Reranking(settings(lengths=(0.0, 0.5, 1.0), keep=0.5))

    def test_a_target_out_of_reach_ends_with_the_fastest(self, algorithm: Any, problem: Any) -> None:
        """It chooses among its finalists alone: the nearest of them."""
        finish = play(algorithm, replace(problem, target_latency_ms=1e-6))[-1][0]
        assert isinstance(finish, Finish)
        nearest = min(PRICE_MS(each) for each in FINALISTS)
        assert PRICE_MS(finish.results[0].subject.architecture) == nearest
        assert finish.results[0].missed_by
        assert finish.reason is StopReason.INFEASIBLE

    def test_what_is_scored_for_its_own_sake_keeps_the_limits(self, algorithm: Any, problem: Any) -> None:
        """Finalists are given; whoever chose them looked at the limits."""

    def test_protected_blocks_stay(self, algorithm: Any, problem: Any) -> None:
        """Finalists are given; whoever chose them had the protected blocks."""


def test_all_recover_from_the_same_weights_each_length_going_on_where_the_one_before_ended() -> None:
    given = settings(lengths=(0.0, 0.25, 1.0))
    transcript = play(Reranking(given), problem(given))
    trainings = [(step, outcome) for step, outcome in transcript if isinstance(step, Train)]
    first = trainings[0][0]
    assert {job.parent for job in first.jobs} == {FIRST}
    assert {job.recipe for job in first.jobs} == {Recipe.RECOVERY}
    assert [job.architecture for job in first.jobs] == [*FINALISTS, SPACE.base], "the start is scored beside them"
    assert [[job.share for job in step.jobs] for step, _ in trainings] == [[0.0] * 6, [0.25] * 5, [0.75] * 5]
    for (_, before), (step, _) in pairwise(trainings):
        assert isinstance(before, Trained)
        assert [job.parent for job in step.jobs] == list(before.digests[:5])


def test_the_order_is_that_of_the_scores_after_the_longest_training() -> None:
    given = settings()
    transcript = play(Reranking(given), problem(given))
    finish = transcript[-1][0]
    last_step, last = transcript[-2]
    assert isinstance(finish, Finish)
    assert isinstance(last_step, Score)
    scores = {s.architecture: e.score.mean for s, e in zip(last_step.subjects, last.estimates, strict=True)}
    assert [result.subject.architecture for result in finish.results] == sorted(scores, key=lambda a: -scores[a])
    assert {result.label for result in finish.results} == {f"finalist-{number}" for number in range(1, 6)}
    assert {result.round for result in finish.results} == {len(given.lengths) - 1}
    assert finish.reason is StopReason.CONVERGED


def test_halving_lets_the_best_half_go_on_and_a_later_length_counts_more_than_a_better_score() -> None:
    given = settings(lengths=(0.0, 0.5, 1.0), keep=0.5)
    algorithm, state, asked = Reranking(given), Reranking(given).start(problem(given)), []
    for number in range(algorithm.max_steps(state.problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            break
        if isinstance(step, Score):
            asked.append([subject.architecture for subject in step.subjects])
        outcome = made_up(step, number=number)
        state = algorithm.told(state, step, outcome)
    assert [len(architectures) for architectures in asked] == [5, 3, 2]
    assert isinstance(step, Finish)
    assert {result.subject.architecture for result in step.results[:2]} == set(asked[-1])
    assert [result.round for result in step.results] == [2, 2, 1, 0, 0]


@pytest.mark.parametrize(
    ("changed", "law"),
    [
        ({"lengths": (0.0,)}, "`lengths` must be two or more that rise"),
        ({"lengths": (0.0, 0.5, 0.5)}, "two or more that rise"),
        ({"lengths": (0.5, 0.25)}, "two or more that rise"),
        ({"finalists": (FINALISTS[0].to_dict(),)}, "two finalists or more, but got 1"),
    ],
)
def test_settings_that_rank_nothing(changed: dict[str, Any], law: str) -> None:
    with pytest.raises(SettingsError, match=law):
        settings(**changed)


def test_the_same_finalist_twice_is_refused() -> None:
    given = settings(finalists=(FINALISTS[0].to_dict(), FINALISTS[0].to_dict()))
    with pytest.raises(UserError, match="finalists must differ"):
        Reranking(given).start(problem(given))


def test_two_lengths_are_enough_and_take_the_steps_that_it_says() -> None:
    given = settings(lengths=(0.0, 1.0))
    transcript = play(Reranking(given), problem(given))
    assert len(transcript) == Reranking(given).max_steps(problem(given))
    (_, trained), (scoring, _), *_ = transcript
    assert isinstance(scoring, Score)
    assert isinstance(trained, Trained)
    assert scoring.reference is not None
    assert scoring.reference.weights == trained.digests[-1], "the start's own, not a finalist's"


def test_who_gives_no_lengths_has_every_finalist_at_all_four() -> None:
    assert (settings().lengths, settings().keep) == ((0.0, 0.25, 0.5, 1.0), 1.0)


def test_one_at_least_goes_on() -> None:
    given = settings(lengths=(0.0, 0.5, 1.0), keep=0.01)
    scorings = [step for step, _ in play(Reranking(given), problem(given)) if isinstance(step, Score)]
    assert [len(step.subjects) for step in scorings] == [5, 1, 1]


def test_a_finalist_of_another_space_is_refused() -> None:
    wider = space_from_config(SMALL_UNET, max_copies=2)
    copy = wider.copies(wider.base)[0]
    stranger = copy.apply(copy.apply(wider.base))
    wider.check(stranger)
    given = settings(finalists=(FINALISTS[0].to_dict(), stranger.to_dict()))
    with pytest.raises(ValueError, match="must"):
        Reranking(given).start(problem(given))


@pytest.mark.parametrize(("higher", "order"), [(True, [3, 1, 2, 4, 5]), (False, [3, 2, 1, 5, 4])])
def test_who_keeps_the_score_s_limit_comes_before_whoever_was_trained_longer(higher: bool, order: list[int]) -> None:
    given, sign = settings(lengths=(0.0, 0.5, 1.0)), 1 if higher else -1
    rounds, means = (2, 2, 1, 0, 0), ((0.3, 0.2, 0.6, 0.5, 0.1) if higher else (-0.3, -0.4, -0.6, 0.1, 0.0))
    limit = {"worst_score": 0.55 * sign, "higher_is_better": higher}
    state = replace(
        Reranking(given).start(problem(given, **limit)),
        scores=tuple((number, mean_interval([mean] * 2), "w") for number, mean in zip(rounds, means, strict=True)),
        base=mean_interval([0.5, 0.5]),
        round=3,
    )
    finish = Reranking(given).step(state)
    assert isinstance(finish, Finish)
    assert [result.label for result in finish.results] == [f"finalist-{number}" for number in order]
    assert finish.reason is StopReason.CONVERGED
