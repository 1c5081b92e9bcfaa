"""Results of batch searches: whose weights and scores they have, and that each round draws anew."""

from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.one_shot import optuna_search, random_search
from nas.algorithms.steps import FIRST, Finish, Recipe, Score, Scored, Train, Trained
from nas.tabular.replay import problem_of
from nas.testing.playing import play
from tests.nas.made_up_table import made_up

SEVERAL = random_search.make(random_search.RandomSettings(num_evaluations=12, batch_size=3))
FRONT = optuna_search.make(
    optuna_search.OptunaSettings(num_evaluations=16, batch_size=4, objective=optuna_search.Objective.FRONT)
)


@pytest.mark.parametrize(("algorithm", "easier"), [(SEVERAL, (17.0, 15.0)), (FRONT, ())])
def test_what_was_found_has_the_weights_and_score_of_its_recovery_and_all_else_those_it_was_scored_with(
    algorithm: Any, easier: tuple[float, ...]
) -> None:
    problem = problem_of(made_up(), settings=algorithm.settings)
    problem = replace(problem, recovers=True, easier_targets_ms=easier)
    transcript = play(algorithm, problem)
    trained = [(step.jobs[0], outcome.digests[0]) for step, outcome in transcript
               if isinstance(step, Train) and isinstance(outcome, Trained)]  # fmt: skip
    scored = [outcome.reference for _, outcome in transcript if isinstance(outcome, Scored)]
    finish = transcript[-1][0]
    assert isinstance(finish, Finish)
    (job, recovered), before = trained[-1], trained[-2][1]
    assert (job.recipe, job.parent) == (Recipe.RECOVERY, before)
    assert trained[0][0].parent == FIRST
    first, *others = finish.results
    assert others
    assert first.subject.weights == recovered
    assert {each.subject.weights for each in others} == {before}
    assert scored[0] is not None
    assert finish.base == scored[0].score
    state = algorithm.start(problem)
    for step, outcome in transcript[:-1]:
        last: Any = outcome
        if step is transcript[-2][0]:  # it is scored once more, with its own weights
            last = replace(last, reference=replace(last.reference, score=replace(first.score, mean=0.125)))
        state = algorithm.told(state, step, last)
    assert algorithm.step(state).results[0].score.mean == 0.125


def test_a_round_draws_anew_and_the_same_whenever_it_is_asked() -> None:
    start = SEVERAL.start(problem_of(made_up(), settings=SEVERAL.settings))
    drawn = [replace(start, round=number).rng.random() for number in (0, 1, 0)]
    assert drawn[0] == drawn[2] != drawn[1]
    subjects = [step.subjects for step, _ in play(SEVERAL, start.problem) if isinstance(step, Score)]
    assert len({each.architecture for batch in subjects for each in batch}) == sum(map(len, subjects))
