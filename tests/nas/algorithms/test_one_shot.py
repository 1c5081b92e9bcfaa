"""Algorithms that train once and then score batches: each keeps the laws, in UNets and in another family."""

from typing import Any

import pytest

from nas.algorithms.one_shot import (
    handpicked,
    knapsack,
    local_search,
    optuna_search,
    random_search,
    regularized_evolution,
    uniform,
)
from nas.algorithms.problem import Problem
from nas.testing.algorithms import AlgorithmLaws, MacsMs
from tests.depth_space import depth_space

MADE = {
    "random_search": lambda: random_search.make(random_search.RandomSettings(num_evaluations=12, batch_size=5)),
    "local_search": lambda: local_search.make(local_search.LocalSettings(num_evaluations=20, batch_size=3)),
    "regularized_evolution": lambda: regularized_evolution.make(
        regularized_evolution.RegularizedSettings(num_evaluations=20, batch_size=4, population_size=6, sample_size=2)
    ),
    "knapsack": lambda: knapsack.make(knapsack.KnapsackSettings(num_evaluations=12, batch_size=4, num_checks=3)),
    "uniform": lambda: uniform.make(uniform.UniformSettings(num_evaluations=4)),
    "handpicked": lambda: handpicked.make(handpicked.HandpickedSettings()),
    **{
        name: lambda name=name: optuna_search.make(
            optuna_search.OptunaSettings(
                num_evaluations=14, batch_size=5, num_startup=4, population_size=5, sampler=optuna_search.Sampler(name)
            )
        )
        for name in ("tpe", "nsga2", "random")
    },
}


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest) -> Any:
    return MADE[request.param]()


class TestInUNets(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self, made: Any) -> Any:
        return made


class TestInAnotherFamily(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self, made: Any) -> Any:
        return made

    @pytest.fixture
    def problem(self, algorithm: Any) -> Problem[Any]:
        space = depth_space()
        price_ms = MacsMs(space)
        target_ms = 0.5 * price_ms(space.base)
        return Problem(space=space, price_ms=price_ms, target_latency_ms=target_ms, settings=algorithm.settings)
