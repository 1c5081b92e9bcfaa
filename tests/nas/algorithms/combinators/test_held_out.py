"""HeldOut keeps the laws of algorithms, and what comes of held-out captions changes nothing but what is said of it."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.checking import check, check_step
from nas.algorithms.combinators.held_out import HeldOut
from nas.algorithms.evolving import DECLARATION, ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import (
    Extended,
    Finish,
    Job,
    Outcome,
    PromptSet,
    Result,
    Score,
    Scored,
    Step,
    StopReason,
    Subject,
    Train,
    Trained,
)
from nas.scores.intervals import Interval
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.playing import SMALL_UNET, MacsMs, made_up, play
from search_spaces import space_from_config

SETTINGS = EvolvingSettings(removals_per_round=2, max_copies=1)
TWO = replace(DECLARATION, name="two")


class TestHeldOutEvolving(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        return HeldOut(ArchitectureEvolving(SETTINGS))


class TestEvolvingWithFinals(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        return HeldOut(ArchitectureEvolving(SETTINGS))

    @pytest.fixture
    def problem(self, algorithm: Algorithm[Any]) -> Problem[Any]:
        return problem_of(SETTINGS)


def problem_of(settings: Any, /, *, ratio: float = 0.8, has_finals: bool = True) -> Problem[Any]:
    space = space_from_config(SMALL_UNET, max_copies=1)
    price_ms = MacsMs(space)
    return Problem(
        space=space, price_ms=price_ms, target_latency_ms=ratio * price_ms(space.base), settings=settings,
        recovers=True, has_finals=has_finals,
    )  # fmt: skip


def played(algorithm: Algorithm[Any], problem: Problem[Any], /, *, salt: str) -> tuple[list[Step], Finish]:
    """A search whose held-out scores alone depend on the salt."""
    state, steps = algorithm.start(problem), list[Step]()
    for number in range(algorithm.max_steps(problem)):
        step = algorithm.step(state)
        check_step(step, problem=problem)
        if isinstance(step, Finish):
            return steps, step
        is_truth = isinstance(step, Score) and step.prompts is PromptSet.HELD_OUT
        outcome: Outcome = made_up(step, number=number, salt=salt if is_truth else "")
        check(step, outcome)
        steps.append(step)
        state = algorithm.told(state, step, outcome)
    raise AssertionError("no end")


@pytest.mark.parametrize("has_finals", [False, True])
def test_held_out_scores_change_no_decision(has_finals: bool) -> None:
    problem = problem_of(SETTINGS, has_finals=has_finals)
    runs = [played(HeldOut(ArchitectureEvolving(SETTINGS)), problem, salt=salt) for salt in ("", "other", "third")]
    plain, finish = played(ArchitectureEvolving(SETTINGS), problem, salt="")
    for steps, ended in runs:
        assert steps[:-1] == plain
        assert [replace(each, truth=None) for each in ended.results] == list(finish.results)
        assert (ended.reason, ended.base) == (finish.reason, finish.base)
        assert steps[-1].decision == finish.decision
    truths = {run.results[0].truth.score.mean for _, run in runs if run.results[0].truth is not None}
    assert len(truths) == 3


def test_the_base_and_what_was_found_are_scored_once_paired_each_with_its_weights() -> None:
    steps, finish = played(HeldOut(ArchitectureEvolving(SETTINGS)), problem_of(SETTINGS), salt="")
    asked = [step for step in steps if isinstance(step, Score) and step.prompts is PromptSet.HELD_OUT]
    (step,) = asked
    first = next(each for each in steps if isinstance(each, Score))
    assert first.reference is not None
    assert step.reference == replace(first.reference, action=None)
    assert step.subjects == (finish.results[0].subject,)
    truth = finish.results[0].truth
    assert truth is not None
    assert truth.loss is not None
    assert finish.base_truth is not None


def test_the_best_round_is_chosen_on_the_final_prompts() -> None:
    """Their scores are turned round: the round that was worst on the deciding prompts is found."""
    algorithm, problem = ArchitectureEvolving(SETTINGS), problem_of(SETTINGS)
    state, finals = algorithm.start(problem), None
    for number in range(algorithm.max_steps(problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            break
        outcome = made_up(step, number=number)
        if isinstance(step, Score) and step.prompts is PromptSet.FINAL:
            assert isinstance(outcome, Scored)
            assert len(step.subjects) > 1
            turned = tuple(
                replace(each, score=replace(each.score, mean=-each.score.mean)) for each in outcome.estimates if each
            )
            outcome = finals = replace(outcome, estimates=turned)
        state = algorithm.told(state, step, outcome)
    assert finals is not None
    meeting = [each for each in state.rounds if problem.meets(each.architecture)]
    assert step.results[0].round == min(meeting, key=lambda each: each.score.mean).round
    assert step.results[0].score == max((each.score for each in finals.estimates if each), key=lambda each: each.mean)


def test_an_extended_search_is_judged_again() -> None:
    algorithm, problem = HeldOut(ArchitectureEvolving(SETTINGS)), problem_of(SETTINGS)
    state = algorithm.start(problem)
    for step, outcome in play(algorithm, problem):
        if outcome is not None:
            state = algorithm.told(state, step, outcome)
    finish = algorithm.step(state)
    assert isinstance(finish, Finish)
    tighter = replace(problem, target_latency_ms=0.8 * problem.target_latency_ms)
    state = algorithm.told(state, finish, Extended(problem=tighter))
    kinds = []
    for number in range(algorithm.max_steps(tighter)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            break
        kinds.append(getattr(step, "prompts", None))
        state = algorithm.told(state, step, made_up(step, number=100 + number))
    assert kinds.count(PromptSet.HELD_OUT) == 1
    assert kinds[-1] is PromptSet.HELD_OUT
    assert isinstance(step, Finish)
    assert step.results[0].truth is not None


@dataclass(frozen=True)
class Two:
    """An algorithm that trains once, scores nothing and hands over two results of one subject and one of another."""

    settings: Any = None
    declaration = TWO

    def start(self, problem: Problem[Any], /) -> tuple[Any, ...]:
        return (problem, None)

    def max_steps(self, problem: Problem[Any], /) -> int:
        return 2

    def step(self, state: tuple[Any, ...], /) -> Step:
        problem, weights = state
        if weights is None:
            return Train(round=0, jobs=(Job(architecture=problem.space.base, share=0),))
        other = next(iter(problem.space.removals(problem.space.base))).apply(problem.space.base)
        subjects = [Subject(architecture=each, weights=weights) for each in (problem.space.base, other, other)]
        score = Interval(mean=0.5, low=0.4, high=0.6, num_prompts=8, confidence=0.95)
        results = tuple(
            Result(subject=subject, round=0, score=score, label=label, missed_by={"latency_ms": 1.0})
            for subject, label in zip(subjects, "abc", strict=True)
        )
        return Finish(results=results, reason=StopReason.CONVERGED, base=score)

    def told(self, state: tuple[Any, ...], step: Step, outcome: Outcome, /) -> tuple[Any, ...]:
        assert isinstance(outcome, Trained)
        return (state[0], outcome.digests[0])


def test_several_results_are_scored_together_and_equal_ones_once() -> None:
    problem = problem_of(None, ratio=0.1)
    steps, finish = played(HeldOut(Two()), problem, salt="")
    asked = steps[-1]
    assert isinstance(asked, Score)
    assert len(asked.subjects) == 2
    assert asked.reference is None, "it never scored where it began"
    one, other, same = (result.truth for result in finish.results)
    assert one is not None
    assert other is not None
    assert same == other != one
    assert finish.base_truth is None


@dataclass(frozen=True)
class Wandering:
    """An algorithm that scores another architecture before the start, and the start again with later weights."""

    heard: list[Step]
    settings: Any = None
    declaration = TWO

    def start(self, problem: Problem[Any], /) -> tuple[Any, ...]:
        return (problem, ())

    def max_steps(self, problem: Problem[Any], /) -> int:
        return 6

    def step(self, state: tuple[Any, ...], /) -> Step:
        problem, outcomes = state
        weights = [outcome.digests[0] for outcome in outcomes if isinstance(outcome, Trained)]
        first = problem.space.base
        other = next(iter(problem.space.removals(first))).apply(first)
        if len(outcomes) in (0, 3):
            return Train(round=len(weights), jobs=(Job(architecture=first, share=0),))
        if len(outcomes) < 5:
            subject = Subject(architecture=other if len(outcomes) == 1 else first, weights=weights[-1])
            return Score(round=len(weights) - 1, subjects=(subject,))
        found = Subject(architecture=other, weights=weights[-1])
        score = Interval(mean=0.5, low=0.4, high=0.6, num_prompts=8, confidence=0.95)
        result = Result(subject=found, round=1, score=score, missed_by={"latency_ms": 1.0})
        return Finish(results=(result,), reason=StopReason.CONVERGED, base=score)

    def told(self, state: tuple[Any, ...], step: Step, outcome: Outcome, /) -> tuple[Any, ...]:
        self.heard.append(step)
        return (state[0], (*state[1], outcome))


def test_the_base_is_the_start_with_the_weights_that_it_was_first_scored_with() -> None:
    problem = problem_of(None, ratio=0.1)
    steps, finish = played(HeldOut(Wandering([])), problem, salt="")
    scored = [step.subjects[0] for step in steps[:-1] if isinstance(step, Score)]
    assert [each.architecture == problem.space.base for each in scored] == [False, True, True]
    assert scored[1].weights != scored[2].weights
    asked = steps[-1]
    assert isinstance(asked, Score)
    assert asked.reference == scored[1]
    assert finish.base_truth is not None


def test_an_algorithm_hears_nothing_of_the_truth_where_its_search_is_extended() -> None:
    heard = list[Step]()
    algorithm, problem = HeldOut(Wandering(heard)), problem_of(None, ratio=0.1)
    state = algorithm.start(problem)
    for step, outcome in play(algorithm, problem):
        state = algorithm.told(state, step, outcome or Extended(problem=problem))
    own = heard[-1]
    assert isinstance(own, Finish)
    assert (own.base_truth, [result.truth for result in own.results]) == (None, [None])
