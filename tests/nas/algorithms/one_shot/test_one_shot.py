"""Algorithms that train once and then score batches: each keeps the laws, in UNets and in another family."""

from importlib import metadata
from inspect import signature
from itertools import product
from typing import Any

import numpy as np
import pytest
from optuna.samplers import TPESampler

from nas.algorithms.one_shot import knapsack, local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.additivity import additivity, fitted
from nas.algorithms.one_shot.layouts import handpicked, uniform
from nas.algorithms.one_shot.programme import Programme, solve
from nas.algorithms.one_shot.proposer import neighbours
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Score
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.playing import MacsMs, made_up, play
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError
from search_spaces.known.architectures import SD15_CONFIG
from tests.depth_space import depth_space


def _optuna(sampler: str) -> Any:
    settings: dict[str, Any] = {"num_evaluations": 8, "batch_size": 4, "num_startup": 3, "population_size": 4}
    return optuna_search.make(optuna_search.OptunaSettings(sampler=optuna_search.Sampler(sampler), **settings))


IN_UNETS: dict[str, Any] = {
    "local_search": local_search.make(local_search.LocalSettings(num_evaluations=8, batch_size=3)),
    "knapsack": knapsack.make(knapsack.KnapsackSettings(num_evaluations=6, batch_size=4, num_checks=3)),
    "handpicked": handpicked.make(handpicked.HandpickedSettings()),
}
IN_STACKS: dict[str, Any] = {
    "random_search": random_search.make(random_search.RandomSettings(num_evaluations=12, batch_size=5)),
    "local_search": local_search.make(local_search.LocalSettings(num_evaluations=20, batch_size=3)),
    "regularized_evolution": regularized_evolution.make(
        regularized_evolution.RegularizedSettings(num_evaluations=20, batch_size=4, population_size=6, sample_size=2)
    ),
    "knapsack": knapsack.make(knapsack.KnapsackSettings(num_evaluations=6, batch_size=4, num_checks=3)),
    "uniform": uniform.make(uniform.UniformSettings(num_evaluations=4)),
    "nsga2": _optuna("nsga2"),
    "tpe": _optuna("tpe"),
}


class TestInUNets(AlgorithmLaws):
    @pytest.fixture(params=IN_UNETS)
    def algorithm(self, request: pytest.FixtureRequest) -> Any:
        return IN_UNETS[request.param]


class TestInStacksOfLayers(AlgorithmLaws):
    @pytest.fixture(params=IN_STACKS)
    def algorithm(self, request: pytest.FixtureRequest) -> Any:
        return IN_STACKS[request.param]

    @pytest.fixture
    def problem(self, algorithm: Any) -> Problem[Any]:
        space = depth_space()
        price_ms = MacsMs(space)
        target_ms = 0.5 * price_ms(space.base)
        return Problem(space=space, price_ms=price_ms, target_latency_ms=target_ms, settings=algorithm.settings)


def stacks(algorithm: Any, *, ratio: float = 0.5) -> Problem[Any]:
    space = depth_space()
    price_ms = MacsMs(space)
    target_ms = ratio * price_ms(space.base)
    return Problem(space=space, price_ms=price_ms, target_latency_ms=target_ms, settings=algorithm.settings)


def test_a_programme_is_solved_exactly() -> None:
    rng, pairs = np.random.default_rng(0), {(0, 1): 0.7, (2, 5): -0.9, (3, 4): -0.2}
    for _ in range(4):
        losses, saved = rng.normal(size=8), rng.uniform(0.1, 1, size=8)
        programme = Programme(
            losses=losses, savings=saved[None], need=np.array([0.5 * saved.sum()]), pairs=pairs, chains=((6, 7),)
        )

        def lost(x: tuple[int, ...], losses: Any = losses) -> float:
            return float(losses @ x + sum(v for (i, j), v in pairs.items() if x[i] and x[j]))

        allowed = [x for x in product((0, 1), repeat=8) if saved @ x >= 0.5 * saved.sum() and x[6] >= x[7]]
        found = solve(programme)
        assert found in allowed
        assert lost(found) == pytest.approx(min(map(lost, allowed)))
    assert solve(Programme(losses=losses, savings=saved[None], need=np.array([9.0]))) is None


def test_additivity_is_measured_and_pairs_are_found_where_it_fails() -> None:
    rng = np.random.default_rng(1)
    single = rng.uniform(0.1, 1, size=6)
    chosen = np.vstack([np.eye(6), rng.integers(0, 2, size=(30, 6))]).astype(float)
    sums = chosen @ single
    assert additivity(chosen, sums, single=single).r2 == pytest.approx(1)
    assert not fitted(chosen, sums, single=single).pairs
    lost = sums + 2.0 * chosen[:, 1] * chosen[:, 4]
    assert additivity(chosen[6:], lost[6:], single=single).r2 < 0.9
    model = fitted(chosen, lost, single=single)
    assert [model.predicted(row) for row in chosen] == pytest.approx(lost.tolist(), abs=0.1)
    pairs = model.pairs
    assert max(pairs, key=lambda pair: abs(pairs[pair])) == (1, 4)
    assert pairs[1, 4] == pytest.approx(2, abs=0.3)


def test_knapsack_scores_every_single_edit_once_and_tells_how_they_add_up() -> None:
    algorithm = IN_STACKS["knapsack"]
    transcript = play(algorithm, stacks(algorithm))
    first, *_ = [step for step, _ in transcript if isinstance(step, Score)]
    depths = [subject.architecture.depths for subject in first.subjects]
    base = depth_space().base.depths
    changed = [[own - depth for own, depth in zip(base, each, strict=True) if own != depth] for each in depths]
    assert len(depths) == sum(base), "each layer of each stage, one more at a time"
    assert all(len(each) == 1 for each in changed)
    (notes,) = [step.decision.notes for step, _ in transcript if step.decision and "num_checked" in step.decision.notes]
    assert set(notes) == {"num_scored", "num_checked", "additivity_r2", "additivity_error"}


def test_local_search_goes_to_better_neighbours_and_begins_anew_when_there_is_none() -> None:
    algorithm = local_search.make(local_search.LocalSettings(num_evaluations=30, batch_size=1))
    problem = stacks(algorithm, ratio=0.6)
    state, moves = algorithm.start(problem), list[tuple[Any, Any]]()
    for step, outcome in play(algorithm, problem)[:-1]:
        assert outcome is not None
        before = state.memory
        state = algorithm.told(state, step, outcome)
        if state.memory != before:
            moves.append((before, state.memory))
    assert [after for before, after in moves if before is None]
    for before, after in moves:
        if before is not None and after is not None:
            assert after.score.mean > before.score.mean
        elif after is None and before is not None:
            around = set(neighbours(problem, before.architecture, rng=np.random.default_rng(0)))
            assert around <= state.known
    assert any(before is not None and after is not None for before, after in moves)


def test_layouts_of_known_models_are_carried_over_where_the_places_are_the_same() -> None:
    space = space_from_config(SD15_CONFIG, max_copies=0)
    algorithm = IN_UNETS["handpicked"]
    price_ms = MacsMs(space)
    problem = Problem(
        space=space, price_ms=price_ms, target_latency_ms=0.8 * price_ms(space.base), settings=algorithm.settings
    )
    found = handpicked.layouts(problem)
    assert {"bk-sdm-base", "bk-sdm-small", "bk-sdm-tiny"} <= set(found)
    assert not [name for name in found if name.startswith(("ssd", "koala"))], "those are SDXL's"
    kept = {name: space.summary(layout) for name, layout in found.items()}
    assert kept["bk-sdm-base"] == "10 cross-attentions, 14 ResNets"


def test_nsga2_goes_beyond_its_first_generation() -> None:
    algorithm = optuna_search.make(
        optuna_search.OptunaSettings(
            num_evaluations=24, batch_size=4, population_size=4, sampler=optuna_search.Sampler.NSGA2
        )
    )
    transcript = play(algorithm, stacks(algorithm))
    notes = [step.decision.notes for step, _ in transcript if step.decision and "sampler" in step.decision.notes]
    assert [note["sampler"] for note in notes] == ["nsga2"]
    assert notes[0]["optuna"] == metadata.version("optuna")


def test_tpe_begins_to_believe_its_model_when_optuna_s_own_does() -> None:
    algorithm = optuna_search.make(optuna_search.OptunaSettings())
    assert algorithm.settings.num_startup == signature(TPESampler).parameters["n_startup_trials"].default


def test_a_grid_that_fits_no_memory_is_refused_with_what_to_do() -> None:
    space = space_from_config(SD15_CONFIG, max_copies=0)
    price_ms = MacsMs(space)
    algorithm = _optuna("grid")
    problem = Problem(
        space=space, price_ms=price_ms, target_latency_ms=0.5 * price_ms(space.base), settings=algorithm.settings
    )
    state = algorithm.start(problem)
    step = algorithm.step(state)
    state = algorithm.told(state, step, made_up(step, number=0))
    with pytest.raises(UserError, match=r"at most 65,536 architectures.*protect more blocks, or take tpe"):
        algorithm.step(state)
