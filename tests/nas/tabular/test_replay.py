"""What a replay counts and judges by: few prompts, another direction, a limit, seeds; and what is summed up of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.one_shot import local_search, random_search
from nas.algorithms.settings import EvolvingSettings
from nas.tabular.benchmark import Benchmark
from nas.tabular.comparing import courses, summary
from nas.tabular.replay import Replay, problem_of
from nas.tabular.space import Row, TabularSpace
from tests.nas.made_up_table import PROMPTS, made_up


def noisy() -> Benchmark:
    """The made-up table, but that its first prompt says something of its own of every architecture."""
    table, rng = made_up(), np.random.default_rng(5)
    own = [rng.normal(scale=0.5) * np.array([1.0, 0, 0, -1.0]) for _ in range(table.size)]
    scores = (*(row + more for row, more in zip(table.scores, own, strict=False)), *table.scores[table.size :])
    return replace(table, scores=scores)


def test_with_fewer_prompts_these_cost_and_choose_and_all_judge() -> None:
    table, algorithm = noisy(), random_search.make(random_search.RandomSettings(num_evaluations=20))
    target_ms = float(np.quantile(table.latency_ms[: table.size], 0.7))
    problem = problem_of(table, settings=algorithm.settings, target_ms=target_ms, seed=3)
    replay = Replay(table, problem, num_prompts=1)
    replay.search(algorithm)
    last, seen = replay.course[-1], list(replay.seen)
    assert last.num_passes == len(seen) * table.passes_per_prompt
    shares = table.latency_ms[seen] / table.latency_ms[0]
    assert last.seconds == pytest.approx(table.passes_per_prompt * table.seconds_per_pass * shares.sum())
    chosen = max((mask for mask in seen if table.latency_ms[mask] <= target_ms), key=lambda mask: table.scores[mask][0])
    assert last.regret == pytest.approx(table.best(target_ms=target_ms) - table.means[chosen])
    assert last.regret > 0
    beyond = replay.course[0]
    worst = table.means[table.latency_ms[: table.size] <= target_ms].min()
    assert beyond.regret == pytest.approx(table.best(target_ms=target_ms) - worst), "the base is too slow to count"
    frame = courses(table, {"a": algorithm}, seeds=[3, 4], target_ms=target_ms, num_prompts=1)
    assert frame[frame["seed"] == 3]["regret"].tolist() == [point.regret for point in replay.course]
    assert frame[frame["seed"] == 4]["regret"].tolist() != frame[frame["seed"] == 3]["regret"].tolist()


@pytest.mark.parametrize(
    "algorithm",
    [
        ArchitectureEvolving(EvolvingSettings(removals_per_round=1, max_copies=0)),
        local_search.make(local_search.LocalSettings(num_evaluations=20, batch_size=2)),
    ],
)
def test_a_score_of_which_less_is_better_has_the_same_course_as_its_mirror(algorithm: Any) -> None:
    table = noisy()
    mirror = replace(table, higher_is_better=False, scores=tuple(-row for row in table.scores))
    found = []
    for each in (table, mirror):
        replay = Replay(each, problem_of(each, settings=algorithm.settings), num_prompts=2)
        replay.search(algorithm)
        found.append(replay)
    assert found[0].seen == found[1].seen
    for own, other in zip(found[0].course, found[1].course, strict=True):
        assert (own.regret, own.volume) == pytest.approx((other.regret, other.volume))


def test_prompts_that_all_of_the_sub_space_has_count_and_a_limit_may_be_met_exactly() -> None:
    table = made_up()
    longer = (np.append(table.scores[0], 9.0), *table.scores[1:-1], np.ones(2))
    other = replace(table, scores=longer)
    assert other.num_prompts == PROMPTS
    assert np.array_equal(other.means, table.means)
    quickest = int(np.argmin(table.latency_ms[: table.size]))
    assert table.best(target_ms=float(table.latency_ms[quickest])) == table.means[quickest]
    space = TabularSpace(table)
    assert [space.num_params(Row(mask)) for mask in range(64)] == table.num_params[:64].tolist()
    assert [space.num_macs(Row(mask)) for mask in range(64)] == table.num_macs[:64].tolist()


def test_a_summary_counts_what_was_known_by_then_and_searches_that_never_found_it() -> None:
    rows = [(0, 1, 0.3, 0.1), (0, 2, 0.0, 0.5), (1, 1, 0.3, 0.1), (1, 2, 0.2, 0.2), (2, 1, 0.1, 0.9)]
    frame = pd.DataFrame(rows, columns=["seed", "num_evaluations", "regret", "volume"]).assign(algorithm="a")
    row: Any = summary(frame, at=[1, 2]).to_dict("records")[0]
    assert (row["regret_1"], row["regret_2"]) == pytest.approx((0.7 / 3, 0.1))
    assert (row["spread_2"], row["volume_spread_2"]) == pytest.approx((np.std([0, 0.2, 0.1]), np.std([0.5, 0.2, 0.9])))
    assert row["share_exact"] == pytest.approx(1 / 3)
    assert np.isnan(row["evaluations_exact"]), "most never found it"
