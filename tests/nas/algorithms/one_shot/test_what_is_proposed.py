"""What is each algorithm's own: whose children, which way is better, how far apart; on tables and stacks of layers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.algorithms.one_shot import knapsack, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.one_shot.layouts import uniform
from nas.algorithms.one_shot.proposer import returns
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Score
from nas.tabular.files import read_benchmark
from nas.tabular.replay import Replay, problem_of
from nas.testing.playing import MacsMs, play
from tests.depth_space import depth_space
from tests.nas.made_up_table import made_up

TABLE = made_up(interacts=0.0)


def stacks(algorithm: Any, /, *, ratio: float = 1.0) -> Problem[Any]:
    space = depth_space()
    price_ms = MacsMs(space)
    target_ms = ratio * price_ms(space.base)
    return Problem(space=space, price_ms=price_ms, settings=algorithm.settings, target_latency_ms=target_ms)


def batches(algorithm: Any, problem: Problem[Any], /) -> list[list[Any]]:
    """The architectures of each batch, in order."""
    steps = [step for step, _ in play(algorithm, problem) if isinstance(step, Score)]
    return [[subject.architecture for subject in step.subjects] for step in steps]


def test_children_are_an_edit_or_two_from_the_best_of_the_youngest() -> None:
    """With a sample as large as the population, and a target that everything meets, so that nothing is repaired."""
    algorithm = regularized_evolution.make(
        regularized_evolution.RegularizedSettings(num_evaluations=24, batch_size=3, population_size=6, sample_size=6)
    )
    problem, state = stacks(algorithm), None
    state, born = algorithm.start(problem), 0
    for step, outcome in play(algorithm, problem)[:-1]:
        population = state.meeting[-6:]
        if isinstance(step, Score) and len(population) == 6:
            best = max(population, key=state.value).architecture.depths
            for subject in step.subjects:
                apart = np.abs(np.array(subject.architecture.depths) - np.array(best)).sum()
                assert 1 <= apart <= 2
                born += 1
        assert outcome is not None
        state = algorithm.told(state, step, outcome)
    assert born >= 12


def test_single_edits_say_so_and_then_come_all_checks_that_a_batch_has_room_for_beside_the_programme_s_choice() -> None:
    algorithm = knapsack.make(knapsack.KnapsackSettings(num_evaluations=8, batch_size=4, num_checks=3))
    problem = problem_of(TABLE, settings=algorithm.settings)
    singles, checks, *_ = [step.subjects for step, _ in play(algorithm, problem) if isinstance(step, Score)]
    assert [each.action for each in singles] == list(Genes.of(problem).edits)
    assert all(each.action.apply(problem.first) == each.architecture for each in singles if each.action)
    assert [each.action for each in checks] == [None] * 4


def test_an_edit_is_executed_so_often_as_it_can_be() -> None:
    problem = problem_of(TABLE, settings=None)
    genes = Genes.of(problem)
    assert genes.architecture([2, 0, 1, 0, 0, 0]) == genes.architecture([1, 0, 1, 0, 0, 0])


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_samplers_go_towards_the_better_scores(sampler: str, higher_is_better: bool) -> None:
    settings = optuna_search.OptunaSettings(
        num_evaluations=40, batch_size=5, num_startup=10, population_size=10, sampler=optuna_search.Sampler(sampler)
    )
    algorithm = optuna_search.make(settings)
    table = replace(read_benchmark("shapes"), higher_is_better=higher_is_better)
    problem = problem_of(table, settings=settings, target_ms=float(table.latency_ms[0]))
    replay = Replay(table, problem)
    replay.search(algorithm)
    scores = table.means[list(replay.seen[1:])] * (1 if higher_is_better else -1)
    assert scores[20:].mean() > scores[:10].mean()


def test_random_draws_stand_at_the_limit_and_are_others_with_another_seed() -> None:
    algorithm = random_search.make(random_search.RandomSettings(num_evaluations=10, batch_size=5))
    problem = stacks(algorithm, ratio=0.5)
    drawn = batches(algorithm, problem)
    every = [architecture for batch in drawn for architecture in batch]
    for architecture in every:
        assert problem.meets(architecture)
        assert not any(problem.meets(back.apply(architecture)) for back in returns(problem, architecture))
    assert batches(algorithm, problem) == drawn
    assert batches(algorithm, replace(problem, seed=1)) != drawn
    assert len(set(every)) == len(every) > 5


def test_thinnings_have_a_phase_each_and_are_even() -> None:
    algorithm = uniform.make(uniform.UniformSettings(num_evaluations=4))
    problem = problem_of(TABLE, settings=algorithm.settings)
    (thinned, *_) = batches(algorithm, problem)
    assert len(thinned) > 1
    for row in thinned:
        gone = [bit for bit in range(6) if row.mask >> bit & 1]
        steps = np.diff([*gone, gone[0] + 6])
        assert steps.max() - steps.min() <= 1, "gaps differ by at most one block"
