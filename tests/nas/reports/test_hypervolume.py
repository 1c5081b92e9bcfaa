"""Hypervolumes of made-up runs: by hand, over what was spent, and over seeds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nas.metrics.area import hypervolume
from nas.reports.hypervolume import compare_fronts, scored_of
from nas.runs.run import Runs, open_run

POINTS = st.lists(st.tuples(st.floats(0, 2), st.floats(-1, 2)), max_size=12)


def test_the_area_of_a_staircase() -> None:
    points = [(0.5, 0.4), (0.8, 0.9), (0.7, 0.3), (1.2, 5.0), (0.1, -1.0)]
    assert hypervolume(points, reference=(1.0, 0.0)) == pytest.approx(0.5 * 0.4 + 0.2 * 0.5)
    assert hypervolume([], reference=(1.0, 0.0)) == 0.0


@given(POINTS, st.tuples(st.floats(0, 2), st.floats(-1, 2)))
def test_another_point_never_takes_area_away_and_order_is_nothing(points: list[Any], more: Any) -> None:
    before = hypervolume(points, reference=(1.0, 0.0))
    assert hypervolume([*points, more], reference=(1.0, 0.0)) >= before
    assert hypervolume(points[::-1], reference=(1.0, 0.0)) == pytest.approx(before)
    grid = (np.arange(60) + 0.5) / 60
    covered = sum(any(x <= a and y >= b for x, y in points) for a in grid for b in 2 * grid)
    assert before == pytest.approx(2 * covered / 3600, abs=0.12), "as counted on a grid"


def interval(mean: float, num: int = 4) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "num_prompts": num, "confidence": 0.95}


def written(folder: Path, *, scores: list[float], seed: int = 0, **search: Any) -> Path:
    """A run of rounds that get faster by a tenth of the base, each after one scored removal."""
    folder.mkdir()
    config = {"seed": seed, "sampling": {"num_steps": 4, "guidance_scale": 2.0}, "search": search}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    events: list[dict[str, Any]] = [
        {
            "event": "search_started",
            "target_latency_ms": 8.5,
            "base_latency_ms": 10.0,
            "base": {},
            "digests": {"protocol": "p"},
        }
    ]
    for number, score in enumerate(scores):
        own = {"event": "evaluation", "round": number, "action": None, "arch_id": f"a{number}", "num_params": 1}
        events.append(
            own | {"clip": interval(score), "predicted_latency_ms": 10.0 - number, "runtime": {"seconds": 2.0}}
        )
        removal = {"event": "evaluation", "round": number, "action": "-resnet[mid,0]", "arch_id": f"r{number}"}
        events.append(
            removal | {"clip": interval(9.9, 2), "d_clip": interval(0.3, 2), "d_latency_ms": 0.5, "value": 0.6}
        )
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "trace.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_passes_seconds_and_scores_of_everything_that_was_scored(tmp_path: Path) -> None:
    points = list(scored_of(open_run(written(tmp_path / "a", scores=[0.9, 0.8]))))
    assert [point.passes for point in points] == [32, 48, 80, 96]
    assert [point.seconds for point in points] == [2.0, 2.0, 4.0, 4.0]
    assert [point.share for point in points] == pytest.approx([1.0, 0.95, 0.9, 0.85])
    assert [point.score for point in points] == pytest.approx([0.9, 0.6, 0.8, 0.5]), "a removal by its paired loss"


def test_runs_are_measured_from_one_point_and_at_the_same_budgets(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a", scores=[0.9, 0.8, 0.7]), written(tmp_path / "b", scores=[0.9, 0.85], x=1)]
    found = compare_fronts(Runs(open_run(path) for path in paths))
    assert found is not None
    assert found.reference == (1.0, 0.7)
    assert found.budgets == (24, 48, 96)
    first, second = found.runs
    assert first.hypervolume == pytest.approx(0.1 * 0.1)
    assert second.hypervolume == pytest.approx(0.1 * 0.15)
    assert [volume for _, volume in first.by_passes] == sorted(volume for _, volume in first.by_passes)
    assert np.isnan(first.best_at[96]), "no round meets the target of 8.5 ms by then"
    assert json.loads(json.dumps(found.to_dict()))["runs"][0]["best_at"]["96"] is None
    assert len(found.frame()) == 10


def test_seeds_of_one_config_are_a_group_and_groups_are_tested_seed_by_seed(tmp_path: Path) -> None:
    runs = []
    for seed in range(5):
        runs.append(written(tmp_path / f"a{seed}", scores=[0.9, 0.8 + 0.01 * seed, 0.5], seed=seed))
        runs.append(written(tmp_path / f"b{seed}", scores=[0.9, 0.85 + 0.01 * seed, 0.5], seed=seed, better=True))
    found = compare_fronts(Runs(open_run(path) for path in runs))
    assert found is not None
    assert [run.group for run in found.runs] == [0, 1] * 5
    mean, std, num = found.groups[0]  # a round at 0.9 of the base, and its removal at 0.85
    assert mean == pytest.approx(0.1 * 0.32 + 0.05 * 0.02)
    assert std == pytest.approx((0.1 + 0.05) * 0.01 * np.std(range(5), ddof=1))
    assert num == 5
    (test,) = found.tests
    assert test.seeds == (0, 1, 2, 3, 4)
    assert test.mean_difference == pytest.approx((0.1 + 0.05) * 0.05)
    assert test.p_permutation == pytest.approx(2 / 2**5), "the least that five pairs can give"
    assert test.p_wilcoxon == pytest.approx(2 / 2**5)


def test_runs_by_different_scores_have_no_common_area(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a", scores=[0.9]), written(tmp_path / "b", scores=[0.9])
    lines = (second / "trace.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    start = json.loads(lines[0]) | {"score": {"name": "other", "unit": "", "higher_is_better": False}}
    (second / "trace.jsonl").write_text(json.dumps(start) + "\n" + "".join(lines[1:]), encoding="utf-8")
    assert compare_fronts(Runs([open_run(first), open_run(second)])) is None
