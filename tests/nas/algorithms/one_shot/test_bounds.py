"""What a search that scores batches costs at most, and when it gives up; each bound met exactly."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.one_shot import random_search
from nas.algorithms.one_shot.campaign import BatchSearch, BatchSettings, Campaign
from nas.algorithms.one_shot.proposer import removals, unseen
from nas.algorithms.problem import EVERYTHING, Problem
from nas.algorithms.steps import Score
from nas.tabular.replay import problem_of
from nas.tabular.space import Row
from nas.testing.playing import MacsMs, Transcript, play
from tests.depth_space import Depths, depth_space
from tests.nas.made_up_table import made_up

TABLE = made_up()


def scorings(transcript: Transcript) -> list[Score]:
    return [step for step, _ in transcript if isinstance(step, Score)]


def num_scored(transcript: Transcript) -> int:
    """Architectures that were scored, each once with its weights; references too."""
    subjects = {(each.architecture, each.weights) for step in scorings(transcript) for each in step.subjects}
    return len(subjects | {(step.reference.architecture, step.reference.weights)
                           for step in scorings(transcript) if step.reference})  # fmt: skip


@pytest.mark.parametrize("easier_ms", [(), (17.0, 15.0)])
def test_the_longest_search_takes_exactly_the_steps_that_it_says(easier_ms: tuple[float, ...]) -> None:
    """A first batch that does not count, then one architecture at a time, and none but for the hardest target."""

    def propose(campaign: Campaign[BatchSettings]) -> Iterator[Any]:
        if not campaign.tried or campaign.problem.target_latency_ms == target_ms:
            yield from [row for row in rows if row not in campaign.known][:1]

    declaration = replace(random_search.DECLARATION, name="slow", takes=EVERYTHING)
    settings = BatchSettings(num_evaluations=3, batch_size=1)
    slow = BatchSearch(settings=settings, declaration=declaration, propose=propose, uncounted=lambda problem: 1)
    problem = problem_of(TABLE, settings=settings)
    problem = replace(problem, easier_targets_ms=easier_ms, recovers=True)
    target_ms = problem.target_latency_ms
    rows = [Row(mask) for mask in range(1, TABLE.size) if problem.meets(Row(mask))]
    assert len(play(slow, problem)) == slow.max_steps(problem)


@pytest.mark.parametrize("recovers", [True, False])
def test_a_hopeless_search_scores_the_start_and_the_nearest_alone(recovers: bool) -> None:
    algorithm = random_search.make(random_search.RandomSettings())
    problem = replace(problem_of(TABLE, settings=algorithm.settings), target_latency_ms=1e-3, recovers=recovers)
    transcript, budget = play(algorithm, problem), algorithm.budget(problem)
    assert (budget.num_scorings, budget.num_rounds) == (2 + recovers, 2)
    assert (num_scored(transcript), len(scorings(transcript))) == (2 + recovers, 2)


@pytest.mark.parametrize("num", [8, 9])
def test_full_batches_cost_exactly_what_the_budget_says(num: int) -> None:
    algorithm = random_search.make(random_search.RandomSettings(num_evaluations=num, batch_size=4))
    problem = replace(problem_of(TABLE, settings=algorithm.settings), recovers=True)
    transcript, budget = play(algorithm, problem), algorithm.budget(problem)
    assert (budget.num_scorings, budget.num_rounds) == (num + 2, (2 if num == 8 else 3) + 1)
    assert (num_scored(transcript), len(scorings(transcript))) == (budget.num_scorings, budget.num_rounds)


def test_copies_that_the_start_has_stay() -> None:
    space = depth_space()
    start = Depths(depths=(3, 3, 1, 3))  # a layer more than the base in the first stage and in the last
    problem = Problem(space=space, price_ms=MacsMs(space), target_latency_ms=1.0, settings=None, start=start)
    assert [str(action) for action in removals(problem, start)] == ["-layer[1]", "-layer[2]"]


def test_a_space_counts_as_used_up_after_twenty_draws_for_each_that_is_wanted() -> None:
    drawn = list[int]()

    def make() -> int:
        drawn.append(len(drawn) % 2)
        return drawn[-1]

    assert unseen(make, known={0}, num=3) == (1,)
    assert len(drawn) == 60
    assert unseen(make, known={0}, num=1) == (1,)
    assert len(drawn) == 62, "and no draw is made when all are found"
