"""Architecture evolving behind the door: every algorithm's laws, what is found, and how a finished search goes on."""

from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.checking import OutcomeError, check
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import (
    Estimate,
    Extended,
    Finish,
    Recipe,
    Result,
    Score,
    Scored,
    StopReason,
    Train,
    Trained,
    Verdict,
)
from nas.scores.intervals import Interval
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.playing import SMALL_UNET, MacsMs, made_up, play
from search_spaces import Sign, space_from_config
from tests.depth_space import depth_space


class TestArchitectureEvolving(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> ArchitectureEvolving:
        return ArchitectureEvolving(EvolvingSettings(removals_per_round=2, max_copies=2, overshoot=True))


class TestInAnotherFamily(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> ArchitectureEvolving:
        return ArchitectureEvolving(EvolvingSettings(removals_per_round=3))

    @pytest.fixture
    def problem(self, algorithm: ArchitectureEvolving) -> Problem[Any]:
        space = depth_space()
        price_ms = MacsMs(space)
        target_ms = 0.5 * price_ms(space.base)
        return Problem(space=space, price_ms=price_ms, target_latency_ms=target_ms, settings=algorithm.settings)


def problem(*, ratio: float = 0.6, recovers: bool = False, **settings: Any) -> Problem[EvolvingSettings]:
    space = space_from_config(SMALL_UNET, max_copies=1)
    price_ms = MacsMs(space)
    return Problem(
        space=space,
        price_ms=price_ms,
        target_latency_ms=ratio * price_ms(space.base),
        settings=EvolvingSettings(**settings),
        recovers=recovers,
    )


def evolve(given: Problem[EvolvingSettings], **kwargs: Any) -> list[tuple[Any, Any]]:
    return play(ArchitectureEvolving(given.settings), given, **kwargs)


def test_rounds_train_then_score_on_the_weights_that_came_of_it() -> None:
    transcript = evolve(problem(recovers=True, max_copies=0))
    steps = [step for step, _ in transcript]
    assert [type(step) for step in steps[:-1]] == [Train, Score] * ((len(steps) - 1) // 2)
    assert [step.round for step in steps[:-1:2]] == list(range(len(steps) // 2))
    recipes = [step.jobs[0].recipe for step in steps if isinstance(step, Train)]
    assert recipes == [Recipe.ROBUST] * (len(recipes) - 1) + [Recipe.RECOVERY]
    weights = ""
    for step, outcome in transcript[:-1]:
        if isinstance(step, Train):
            assert step.jobs[0].parent == weights
            (weights,) = outcome.digests
        else:
            assert {subject.weights for subject in (step.reference, *step.subjects)} == {weights}


def test_a_recovery_scores_the_architecture_alone_and_decides_nothing() -> None:
    steps = [step for step, _ in evolve(problem(recovers=True, max_copies=0))]
    last = steps[-2]
    assert isinstance(last, Score)
    assert (last.subjects, last.contest) == ((), None)
    assert steps[-1].decision is not None
    assert (steps[-1].decision.actions, steps[-1].decision.stop) == ((), StopReason.CONVERGED)


@pytest.mark.parametrize("recovers", [True, False])
def test_where_nothing_is_left_to_decide_one_recovery_is_all(recovers: bool) -> None:
    train, score, finish = (step for step, _ in evolve(problem(ratio=1.1, recovers=recovers, max_copies=0)))
    assert isinstance(train, Train)
    assert [job.recipe for job in train.jobs] == [Recipe.RECOVERY]
    assert isinstance(score, Score)
    assert (score.subjects, score.contest) == ((), None)
    assert isinstance(finish, Finish)
    assert finish.reason is StopReason.CONVERGED


def test_decisions_travel_with_the_step_that_follows() -> None:
    steps = [step for step, _ in evolve(problem())]
    assert steps[0].decision is None
    decisions = [step.decision for step in steps[2::2]]
    assert [decision.round for decision in decisions] == list(range(len(decisions)))
    assert all(step.decision is None for step in steps[1::2])


@pytest.mark.parametrize("raced", [False, True])
@pytest.mark.parametrize("higher_is_better", [False, True])
def test_the_best_round_that_meets_the_target_is_found(raced: bool, higher_is_better: bool) -> None:
    given = replace(problem(max_copies=2, overshoot=True), higher_is_better=higher_is_better)
    transcript = evolve(given, raced=raced)
    rounds = {
        step.round: (step.reference.architecture, outcome.reference.score.mean)
        for step, outcome in transcript
        if isinstance(step, Score) and step.reference is not None
    }
    meeting = {number: score for number, (architecture, score) in rounds.items() if given.meets(architecture)}
    pick = max if higher_is_better else min
    (found,) = transcript[-1][0].results
    assert found.round == pick(meeting, key=lambda number: meeting[number])
    assert found.subject.architecture == rounds[found.round][0]
    architecture = given.first
    for action in found.actions:
        architecture = action.apply(architecture)
    assert architecture == found.subject.architecture


def test_a_verdict_counts_and_the_means_of_a_race_do_not() -> None:
    """A contestant that was left with few prompts may look better than the chosen ones."""
    given = problem(removals_per_round=1, max_copies=0)
    algorithm = ArchitectureEvolving(given.settings)
    state = algorithm.start(given)
    train = algorithm.step(state)
    state = algorithm.told(state, train, Trained(digests=("w",)))
    score = algorithm.step(state)
    assert isinstance(score, Score)
    assert score.contest is not None
    chosen = max(score.contest.saved_ms)
    outcome = Scored(
        reference=estimate(0.5),
        estimates=tuple(estimate(0.5, loss=0.4 if index == chosen else 0.0) for index in range(len(score.subjects))),
        verdict=Verdict(chosen=(chosen,)),
    )
    following = algorithm.step(algorithm.told(state, score, outcome))
    assert isinstance(following, Train)
    assert following.jobs[0].architecture == score.subjects[chosen].architecture


def estimate(score: float, *, loss: float | None = None) -> Estimate:
    def interval(mean: float) -> Interval:
        return Interval(mean=mean, low=mean, high=mean, num_prompts=4, confidence=0.95)

    return Estimate(score=interval(score), loss=None if loss is None else interval(loss))


@pytest.mark.parametrize("recovers", [False, True])
def test_a_finished_search_goes_on_with_a_tighter_target(recovers: bool) -> None:
    given = problem(ratio=0.8, recovers=recovers, max_copies=0)
    algorithm = ArchitectureEvolving(given.settings)
    state, transcript = algorithm.start(given), evolve(given)
    for step, outcome in transcript[:-1]:
        state = algorithm.told(state, step, outcome)
    tighter = replace(given, target_latency_ms=0.5 * given.target_latency_ms)
    state = algorithm.told(state, transcript[-1][0], Extended(problem=tighter))
    number = transcript[-2][0].round + 1
    assert algorithm.step(state).round == number
    for _ in range(algorithm.max_steps(tighter)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            break
        assert step.round >= number
        assert step.round > number or step.decision is None, "the first round has no decision of its own to tell"
        state = algorithm.told(state, step, made_up(step, number=step.round))
    assert isinstance(step, Finish)
    assert not step.results[0].missed_by
    assert step.base == transcript[-1][0].base, "the base is that of the whole search"


def test_kept_copies_survive_an_overshooting_search() -> None:
    """`keep_copies` reaches the candidates: without it a copy may be taken back in the round after."""
    taken_back = {}
    for keep in (True, False):
        given = problem(ratio=1.0, max_copies=2, overshoot=True, keep_copies=keep)
        algorithm = ArchitectureEvolving(given.settings)
        copied = given.space.copies(given.first)[0]
        state = replace(algorithm.start(given), architecture=copied.apply(given.first), actions=(copied,))
        state = algorithm.told(state, algorithm.step(state), Trained(digests=("w",)))
        step = algorithm.step(state)
        assert isinstance(step, Score)
        taken_back[keep] = copied.inverse in {subject.action for subject in step.subjects}
    assert taken_back == {True: False, False: True}


def test_an_outcome_must_answer_its_step() -> None:
    given = problem()
    algorithm = ArchitectureEvolving(given.settings)
    state = algorithm.start(given)
    train = algorithm.step(state)
    assert isinstance(train, Train)
    for wrong in (Trained(digests=()), Trained(digests=("a", "b")), Trained(digests=("",)), Extended(problem=given)):
        with pytest.raises(OutcomeError, match="round 0"):
            check(train, wrong)
    score = algorithm.step(algorithm.told(state, train, Trained(digests=("w",))))
    assert isinstance(score, Score)
    sound = made_up(score, number=1, raced=True)
    assert isinstance(sound, Scored)
    check(score, sound)
    not_finite = estimate(float("nan"))
    for wrong_scores, law in (
        (replace(sound, estimates=sound.estimates[1:]), "an estimate per subject"),
        (replace(sound, reference=None), "the reference must be scored"),
        (replace(sound, estimates=(not_finite, *sound.estimates[1:])), "subject 0 must be finite"),
        (replace(sound, verdict=Verdict(chosen=(99,))), r"\[99\] are none"),
    ):
        with pytest.raises(OutcomeError, match=law):
            check(score, wrong_scores)


def test_results_say_by_how_much_a_target_is_missed() -> None:
    given = problem(ratio=0.01)
    (found,) = evolve(given)[-1][0].results
    assert isinstance(found, Result)
    assert found.missed_by == {"latency_ms": given.price_ms(found.subject.architecture) - given.target_latency_ms}
    assert not [action for action in found.actions if action.sign is Sign.COPY]


@pytest.mark.parametrize("recovers", [True, False])
def test_a_search_with_nothing_to_decide_recovers_and_ends(recovers: bool) -> None:
    train, score, finish = (step for step, _ in evolve(problem(ratio=2.0, recovers=recovers, max_copies=0)))
    assert isinstance(train, Train)
    assert train.jobs[0].recipe is Recipe.RECOVERY
    assert isinstance(score, Score)
    assert score.subjects == ()
    assert finish.reason is StopReason.CONVERGED
