"""The laws of search algorithms: inherit `AlgorithmLaws` and give it one fixture.

    class TestMine(AlgorithmLaws):
        @pytest.fixture
        def algorithm(self):
            return Mine(MySettings())

`problem` may be overridden too; the default is a small UNet's space whose prices are its multiply-accumulates. Outcomes
are made up (`nas.testing.playing`), so that a law needs no model.
"""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from math import isfinite
from typing import Any, Final

import pytest

from nas.algorithms.algorithm import Algorithm, Budgeted, Declaration
from nas.algorithms.checking import check, check_step
from nas.algorithms.feasibility import fastest
from nas.algorithms.problem import MACS, PARAMS, SCORE, TARGETS, Limit, Problem
from nas.algorithms.steps import FIRST, Extended, Finish, Recipe, Score, Step, Train, Trained
from nas.testing.playing import SMALL_UNET, MacsMs, made_up, play
from search_spaces import UNetSpace, space_from_config

MAX_STATE_BYTES: Final = 1_000_000
FRAMEWORKS: Final = (b"torch", b"diffusers", b"ray.")


class AlgorithmLaws:
    """Laws of the door `nas.algorithms.algorithm.Algorithm`."""

    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        """The algorithm under test."""
        raise NotImplementedError("a class of laws needs the fixture `algorithm`")

    @pytest.fixture
    def problem(self, algorithm: Algorithm[Any]) -> Problem[Any]:
        """What it is given: six tenths of the base's price, with a recovery."""
        space: UNetSpace = space_from_config(SMALL_UNET, max_copies=1)
        price_ms = MacsMs(space)
        target_ms = 0.6 * price_ms(space.base)
        return Problem(
            space=space, price_ms=price_ms, target_latency_ms=target_ms, settings=algorithm.settings, recovers=True
        )

    def test_it_says_what_it_is(self, algorithm: Algorithm[Any]) -> None:
        """A name, a paper and a cost law, and directions of what a finished search may go on with."""
        declaration = algorithm.declaration
        assert isinstance(declaration, Declaration)
        assert declaration.name.isidentifier()
        assert declaration.paper
        assert declaration.cost
        assert set(declaration.extends.values()) <= {"lower", "higher"}

    @pytest.mark.parametrize("raced", [False, True])
    def test_folding_the_outcomes_again_gives_equal_steps(
        self, algorithm: Algorithm[Any], problem: Problem[Any], raced: bool
    ) -> None:
        """The next step is a function of the problem and of the outcomes, so that resuming is folding again."""
        transcript = play(algorithm, problem, raced=raced)
        state = algorithm.start(problem)
        for step, outcome in transcript:
            assert algorithm.step(state) == step
            assert algorithm.step(state) == step, "asking twice changes nothing"
            if outcome is not None:
                state = algorithm.told(state, step, outcome)

    def test_two_outcomes_told_to_one_state_do_not_disturb_each_other(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """States are values: whoever forks a search gets two."""
        state = algorithm.start(problem)
        for step, outcome in play(algorithm, problem):
            if outcome is None:
                continue
            other = made_up(step, number=0, salt="another")
            algorithm.told(state, step, other)
            assert algorithm.step(state) == step
            state = algorithm.told(state, step, outcome)

    def test_states_and_steps_pickle_small_and_hold_no_framework(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """A state, its problem aside, can lie in a trace or travel to another process."""
        state = algorithm.start(problem)
        for step, outcome in play(algorithm, problem):
            content = _pickled(state, problem) + _pickled(step, problem)
            assert len(content) < MAX_STATE_BYTES
            assert not [name for name in FRAMEWORKS if name in content]
            if outcome is not None:
                state = algorithm.told(state, step, outcome)

    def test_what_it_asks_for_lies_in_the_space(self, algorithm: Algorithm[Any], problem: Problem[Any]) -> None:
        """Architectures are of the space, and weights of a training that was told before."""
        known = {FIRST}
        for step, outcome in play(algorithm, problem):
            for architecture, weights in _asked(step):
                problem.space.check(architecture)
                assert weights in known, f"nobody gave the weights {weights!r}"
            if isinstance(outcome, Trained):
                known |= set(outcome.digests)

    def test_nothing_is_scored_twice(self, algorithm: Algorithm[Any], problem: Problem[Any]) -> None:
        """By one score on the same prompts an architecture is scored once with its weights; references are free."""
        seen = set[tuple[Any, ...]]()
        for step, _ in play(algorithm, problem):
            if isinstance(step, Score):
                scored = [step.subjects[index] for index in step.scored]
                subjects = [
                    (step.by, step.prompts, step.num_prompts, each.architecture, each.weights) for each in scored
                ]
                assert len(set(subjects)) == len(subjects)
                assert seen.isdisjoint(subjects)
                seen |= set(subjects)

    def test_what_is_scored_for_its_own_sake_keeps_the_limits(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """What costs nothing to know is asked before anything is scored; parts are scored for what they do alone."""
        if algorithm.declaration.assumes_additivity:
            return
        for step, _ in play(algorithm, problem):
            if isinstance(step, Score):
                own = [subject.architecture for subject in step.subjects if subject.action is None]
                assert [each for each in own if not problem.meets(each)] == []

    def test_it_says_whether_it_holds_contests(self, algorithm: Algorithm[Any], problem: Problem[Any]) -> None:
        """A screen is refused where none are said to be, and would be left out where none are."""
        steps = [step for step, _ in play(algorithm, problem) if isinstance(step, Score)]
        assert any(step.contest is not None for step in steps) <= algorithm.declaration.contests

    def test_it_costs_no_more_than_it_says(self, algorithm: Algorithm[Any], problem: Problem[Any]) -> None:
        """The budget of an algorithm that states one bounds what it asks for."""
        if not isinstance(algorithm, Budgeted):
            return
        budget, steps = algorithm.budget(problem), [step for step, _ in play(algorithm, problem)]
        scored = {asked for step in steps if isinstance(step, Score) for asked in _asked(step)}
        assert len(scored) <= budget.num_scorings
        for recipe in Recipe:
            jobs = [job for step in steps if isinstance(step, Train) for job in step.jobs if job.recipe is recipe]
            assert sum(job.share for job in jobs) <= budget.shares.get(recipe, 0.0)

    def test_a_finished_search_goes_on_to_a_lower_target(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """Where it says that it does, what was scored is not scored again."""
        if "target_latency_ms" not in algorithm.declaration.extends:
            return
        state = algorithm.start(problem)
        transcript = play(algorithm, problem)
        for step, outcome in transcript[:-1]:
            assert outcome is not None
            state = algorithm.told(state, step, outcome)
        lower = replace(problem, target_latency_ms=0.8 * problem.target_latency_ms)
        finish, extended = transcript[-1][0], Extended(problem=lower)
        check(finish, extended)
        further = play(algorithm, lower, state=algorithm.told(state, finish, extended), first=len(transcript))
        seen = {s for step, _ in transcript if isinstance(step, Score) for s in _subjects(step)}
        assert seen.isdisjoint(s for step, _ in further if isinstance(step, Score) for s in _subjects(step))
        after = further[-1][0]
        assert isinstance(after, Finish)
        assert lower.meets(after.results[0].subject.architecture) == (not after.results[0].missed_by)

    @pytest.mark.parametrize("salt", ["a", "b", "c"])
    def test_it_ends_within_its_bound_and_says_the_truth(
        self, algorithm: Algorithm[Any], problem: Problem[Any], salt: str
    ) -> None:
        """The first result keeps its limits exactly when it says so."""
        transcript = play(algorithm, problem, salt=salt)
        assert len(transcript) <= algorithm.max_steps(problem)
        finish = transcript[-1][0]
        assert isinstance(finish, Finish)
        assert finish.results
        assert len({result.label for result in finish.results}) == len(finish.results)
        for result in finish.results:
            assert isfinite(result.score.mean)
            assert problem.meets(result.subject.architecture) == (not result.missed_by)

    def test_a_target_out_of_reach_ends_with_the_fastest(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """Whatever the algorithm, an impossible target is answered by the nearest architecture that there is."""
        nearest = fastest(problem, problem.first)
        impossible = replace(problem, target_latency_ms=problem.price_ms(nearest) / 2)
        finish = play(algorithm, impossible)[-1][0]
        assert isinstance(finish, Finish)
        assert problem.price_ms(finish.results[0].subject.architecture) == problem.price_ms(nearest)
        assert finish.results[0].missed_by

    def test_what_it_takes_into_account_is_kept_or_said_to_be_missed(
        self, algorithm: Algorithm[Any], problem: Problem[Any]
    ) -> None:
        """Limits, the worst allowed score and easier targets, each where the algorithm says that it takes it."""
        space, takes = problem.space, algorithm.declaration.takes
        costs = {PARAMS: space.num_params, MACS: space.num_macs}
        limits = tuple(
            Limit(name=name, setting=name, most=0.7 * cost(space.base), cost=cost)
            for name, cost in costs.items()
            if name in takes
        )
        target_ms = problem.target_latency_ms
        limited = replace(
            problem,
            limits=limits,
            worst_score=0.2 if SCORE in takes else None,
            easier_targets_ms=(1.25 * target_ms, 1.1 * target_ms) if TARGETS in takes else (),
        )
        finish = play(algorithm, limited)[-1][0]
        assert isinstance(finish, Finish)
        check_step(finish, problem=limited)
        for result in finish.results:
            missed = limited.missed_by(
                result.subject.architecture, score=result.score.mean, target_latency_ms=result.target_latency_ms
            )
            assert missed == pytest.approx(dict(result.missed_by))
        if TARGETS in takes:
            assert {result.target_latency_ms for result in finish.results} == set(limited.targets_ms)

    def test_protected_blocks_stay(self, algorithm: Algorithm[Any], problem: Problem[Any]) -> None:
        """No architecture that is asked for has lost a protected block."""
        protected = frozenset(sorted(problem.space.block_names)[:2])
        careful = replace(problem, protected=protected, target_latency_ms=0.9 * problem.price_ms(problem.space.base))
        left = {
            action for action in problem.space.removals(problem.space.base) if problem.space.touched(action) & protected
        }
        for step, _ in play(algorithm, careful):
            for architecture, _weights in _asked(step):
                assert left <= set(problem.space.removals(architecture)), "a protected block is gone"


def _subjects(step: Score) -> list[tuple[Any, str]]:
    return [(subject.architecture, subject.weights) for subject in step.subjects]


def _asked(step: Step) -> Iterator[tuple[Any, str]]:
    """Architectures and weights that a step names."""
    if isinstance(step, Train):
        yield from ((job.architecture, job.parent) for job in step.jobs)
    elif isinstance(step, Score):
        subjects = (*step.subjects, *([step.reference] if step.reference is not None else []))
        yield from ((subject.architecture, subject.weights) for subject in subjects)
    else:
        yield from ((result.subject.architecture, result.subject.weights) for result in step.results)


class _WithoutProblem(pickle.Pickler):
    """Leaves the problem out: its space and prices are the experiment's."""

    def __init__(self, file: BytesIO, problem: Problem[Any]) -> None:
        super().__init__(file)
        self._apart = (problem, problem.space, problem.price_ms)

    def persistent_id(self, obj: object) -> str | None:
        """A name for what is not pickled."""
        return "problem" if any(obj is part for part in self._apart) else None


def _pickled(value: object, problem: Problem[Any]) -> bytes:
    file = BytesIO()
    _WithoutProblem(file, problem).dump(value)
    return file.getvalue()
