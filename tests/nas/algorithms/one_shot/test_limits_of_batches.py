"""Limits beside the latency, and fronts, of algorithms that score batches: on a table whose every answer is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latency.exporters.extras import load_extra
from nas.algorithms.checking import check_step, check_takes
from nas.algorithms.one_shot import knapsack, local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.additivity import LossModel
from nas.algorithms.one_shot.campaign import BatchSearch, BatchSettings
from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.one_shot.knapsack import _programme
from nas.algorithms.one_shot.layouts import uniform
from nas.algorithms.one_shot.optuna_search import _trial
from nas.algorithms.one_shot.tried import Tried
from nas.algorithms.problem import EVERYTHING, LATENCY, MACS, PARAMS, SCORE, Limit, Problem
from nas.algorithms.steps import Estimate, Finish, Score, Scored, Step, Trained
from nas.scores.intervals import mean_interval
from nas.tabular.replay import problem_of
from nas.tabular.space import Row
from tests.nas.made_up_table import made_up

TABLE = made_up(interacts=0.0)
MASKS = range(TABLE.size)
BITS = np.array([[mask >> bit & 1 for bit in range(6)] for mask in MASKS], dtype=float)
ELSEWHERE_MS = 30 - BITS @ np.array([4.0, 0.5, 3.0, 0.2, 0.1, 2.5])  # on another device
PARAMETERS = 1000 - BITS @ np.array([100.0, 300.0, 50.0, 40.0, 160.0, 250.0])
LIMITED = (
    Limit(name=PARAMS, setting="max_params", most=600, cost=lambda row: float(PARAMETERS[row.mask])),
    Limit(name="latency_ms of phone", setting="phone", most=24.0, cost=lambda row: float(ELSEWHERE_MS[row.mask])),
)


def tpe(**settings: Any) -> BatchSearch[Any]:
    given = {"num_evaluations": 24, "batch_size": 4, "num_startup": 6} | settings
    return optuna_search.make(optuna_search.OptunaSettings(**given))


ALGORITHMS: dict[str, BatchSearch[Any]] = {
    "knapsack": knapsack.make(knapsack.KnapsackSettings(num_evaluations=12, batch_size=4, num_checks=3)),
    "local_search": local_search.make(local_search.LocalSettings(num_evaluations=20, batch_size=3)),
    "regularized_evolution": regularized_evolution.make(
        regularized_evolution.RegularizedSettings(num_evaluations=20, batch_size=4, population_size=6, sample_size=2)
    ),
    "random_search": random_search.make(random_search.RandomSettings(num_evaluations=12)),
    "tpe": tpe(),
    "uniform": uniform.make(uniform.UniformSettings(num_evaluations=4)),
}


def posed(algorithm: Any, /, **parts: Any) -> Problem[Any]:
    """The table's problem with limits of parameters and of another device's latency."""
    return replace(problem_of(TABLE, settings=algorithm.settings), **({"limits": LIMITED} | parts))


def searched(algorithm: Any, problem: Problem[Any], /) -> tuple[list[Score], Finish]:
    """Every scoring of a search on the table, and its end."""
    state, scorings = algorithm.start(problem), list[Score]()
    for _ in range(algorithm.max_steps(problem)):
        step: Step = algorithm.step(state)
        check_step(step, problem=problem)
        if isinstance(step, Finish):
            return scorings, step
        outcome: Any = Trained(digests=("w",))
        if isinstance(step, Score):
            scorings.append(step)
            assert step.reference is not None
            of = [Estimate(score=mean_interval(TABLE.scores[each.architecture.mask])) for each in step.subjects]
            reference = Estimate(score=mean_interval(TABLE.scores[step.reference.architecture.mask]))
            outcome = Scored(estimates=tuple(of), reference=reference)
        state = algorithm.told(state, step, outcome)
    raise AssertionError("`max_steps` was not kept")


def best_within(problem: Problem[Any], /) -> Row:
    return max((Row(mask) for mask in MASKS if problem.meets(Row(mask))), key=lambda row: TABLE.means[row.mask])


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_limit_is_kept_and_what_they_refuse_is_counted_and_not_scored(name: str) -> None:
    algorithm = ALGORITHMS[name]
    problem = posed(algorithm)
    check_takes(algorithm, posed(algorithm, limits=LIMITED[:1], worst_score=0.1))
    scorings, finish = searched(algorithm, problem)
    assert not finish.results[0].missed_by
    own = [each.architecture for step in scorings[algorithm.declaration.assumes_additivity :] for each in step.subjects]
    assert all(map(problem.meets, own))
    refused = sum(step.num_refused for step in scorings)
    assert (refused > 0) == (name not in ("random_search", "uniform")), "those propose nothing beyond a limit"
    scorings, _ = searched(algorithm, posed(algorithm, limits=()))
    assert sum(step.num_refused for step in scorings) == 0, "runs without further limits are what they were"


def test_the_programme_is_exact_under_several_limits_at_once() -> None:
    sums = knapsack.make(knapsack.KnapsackSettings(num_evaluations=1, num_checks=0, max_pairs=0))
    problem = posed(sums)
    found = searched(sums, problem)[1].results[0].subject.architecture
    assert found == best_within(problem)
    for left_out in range(2):
        alone = posed(sums, limits=LIMITED[left_out : left_out + 1])
        assert best_within(alone) != found, "each limit matters here"
        assert searched(sums, alone)[1].results[0].subject.architecture == best_within(alone)


def test_each_row_of_the_programme_is_what_its_limit_says() -> None:
    problem = posed(ALGORITHMS["knapsack"])
    programme = _programme(Genes.of(problem), LossModel(losses=np.zeros(6), pairs={}))
    assert programme.savings.shape == (3, 6)
    keeps = (programme.savings @ BITS.T >= programme.need[:, None]).T
    for mask in MASKS:
        missed = problem.missed_by(Row(mask))
        names = (LATENCY, *(limit.name for limit in LIMITED))
        assert [name not in missed for name in names] == keeps[mask].tolist()


def test_a_study_is_told_of_each_limit_whether_it_is_kept() -> None:
    problem = posed(ALGORITHMS["tpe"])
    campaign, genes = ALGORITHMS["tpe"].start(problem), Genes.of(problem)
    optuna = load_extra("optuna", extra="optuna")
    spaces = {
        name: optuna.distributions.IntDistribution(0, most) for name, most in zip(genes.names, genes.most, strict=True)
    }
    for mask in MASKS:
        tried = Tried(architecture=Row(mask), round=0, score=mean_interval(TABLE.scores[mask].tolist()))
        told = _trial(optuna, tried, campaign, genes, spaces, number=0).constraints
        assert {name for name, distance in told.items() if distance > 0} == problem.missed_by(Row(mask)).keys()


def test_the_programme_has_a_row_for_each_device_where_the_slowest_counts() -> None:
    """The largest of two sums is no sum: a single row of it would choose what one of both devices cannot keep."""

    here_ms, there_ms = (20 - BITS @ np.array(saved) for saved in ([3, 3, 3, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 3, 3, 3]))

    class Slowest:
        parts = (lambda row: float(here_ms[row.mask]), lambda row: float(there_ms[row.mask]))

        def __call__(self, row: Row, /) -> float:
            return max(part(row) for part in self.parts)

    sums = knapsack.make(knapsack.KnapsackSettings(num_evaluations=1, num_checks=0, max_pairs=0))
    for target_ms in (17.0, 15.0, 12.5):
        problem = posed(sums, price_ms=Slowest(), limits=(), target_latency_ms=target_ms)
        assert searched(sums, problem)[1].results[0].subject.architecture == best_within(problem)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_result_says_every_limit_that_it_misses(name: str) -> None:
    algorithm = ALGORITHMS[name]
    least = Row(TABLE.size - 1)
    macs = Limit(name=MACS, setting="max_macs", most=1.0, cost=lambda row: float(TABLE.num_macs[row.mask]))
    problem = posed(algorithm, limits=(*LIMITED[:1], macs), target_latency_ms=1.0, worst_score=2.0)
    (found,) = searched(algorithm, problem)[1].results
    assert found.subject.architecture == least
    assert found.missed_by.keys() == {LATENCY, MACS, SCORE}
    assert found.missed_by[SCORE] == pytest.approx(2 - TABLE.means[least.mask])


def test_a_search_goes_between_the_fastest_and_the_smallest_where_only_that_keeps_all_limits() -> None:
    """Neither the start, the emptiest nor the fastest keeps both limits, but something does."""
    algorithm = ALGORITHMS["local_search"]
    here_ms = 20 + BITS @ np.array([-1.0, -1.0, -1.0, 0.4, 0.4, 0.4])
    problem = posed(
        algorithm,
        price_ms=lambda row: float(here_ms[row.mask]),
        target_latency_ms=17.6,
        limits=(replace(LIMITED[0], most=400),),
    )
    assert not any(problem.meets(Row(mask)) for mask in (0, TABLE.size - 1, 0b000111))
    assert not searched(algorithm, problem)[1].results[0].missed_by


def test_a_front_is_what_nothing_beats_in_score_and_latency_both() -> None:
    algorithm = tpe(objective=optuna_search.Objective.FRONT, num_evaluations=40)
    problem = posed(algorithm, limits=LIMITED[:1], recovers=True)
    scorings, finish = searched(algorithm, problem)
    tried = {each.architecture for step in scorings for each in step.subjects if problem.meets(each.architecture)}
    points = {row: (float(TABLE.means[row.mask]), -problem.price_ms(row)) for row in tried}
    front = {
        row for row, own in points.items()
        if not any(all(a >= b for a, b in zip(other, own, strict=True)) and other != own for other in points.values())
    }  # fmt: skip
    assert len(front) > 2
    assert finish.is_front
    assert {result.subject.architecture for result in finish.results} == front
    assert finish.results[0].subject.architecture == max(points, key=lambda row: points[row])
    assert finish.results[0].round > max(result.round for result in finish.results[1:]), "the first one recovered"
    scores = [result.score.mean for result in finish.results]
    assert scores == sorted(scores, reverse=True)
    floored = searched(algorithm, replace(problem, worst_score=scores[1]))[1]
    assert [result.score.mean for result in floored.results] == scores[:2]
    assert not searched(tpe(), problem)[1].is_front


@pytest.mark.parametrize("name", ALGORITHMS)
def test_each_of_several_targets_has_the_best_of_all_that_was_scored(name: str) -> None:
    algorithm = ALGORITHMS[name]
    problem = posed(algorithm, limits=(), easier_targets_ms=(17.0, 15.0))
    scorings, finish = searched(algorithm, problem)
    tried = {Row(0)} | {each.architecture for step in scorings for each in step.subjects}
    assert [result.target_latency_ms for result in finish.results] == [problem.target_latency_ms, 15.0, 17.0]
    for result in finish.results:
        assert result.target_latency_ms is not None
        within = [row for row in tried if problem.price_ms(row) <= result.target_latency_ms]
        assert result.score.mean == pytest.approx(max(TABLE.means[row.mask] for row in within))
    if name == "knapsack":  # aims at each by an exact programme
        for result in finish.results:
            alone = posed(algorithm, limits=(), target_latency_ms=result.target_latency_ms)
            assert result.subject.architecture == best_within(alone)
    own = scorings[1:]
    aims = [problem.targets_ms[::-1][number % 3] for number in range(1, len(own) + 1)]
    for step, aim in zip(own, aims, strict=True):
        assert all(problem.price_ms(each.architecture) <= aim for each in step.subjects)


def test_a_plugin_s_proposals_beyond_the_limits_are_dropped() -> None:
    """Whatever an author's function proposes, nothing is spent on what could never be the answer."""
    declaration = replace(random_search.DECLARATION, name="careless", takes=EVERYTHING)
    careless = BatchSearch(
        settings=BatchSettings(num_evaluations=60),
        declaration=declaration,
        propose=lambda campaign: (
            Row(mask) for mask in MASKS[1:] if Row(mask) not in campaign.known and not campaign.round
        ),
    )
    problem = posed(careless)
    scorings, finish = searched(careless, problem)
    allowed = sum(problem.meets(Row(mask)) for mask in MASKS[1:])
    assert (len(scorings[0].subjects), scorings[0].num_refused) == (allowed, TABLE.size - 1 - allowed)
    assert finish.results[0].subject.architecture == best_within(problem)
