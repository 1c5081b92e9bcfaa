"""Sweeps without a cluster: what is proposed, what a trial came to, and what is refused before anything starts."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from nas.reports.hypervolume import scored_of
from nas.runs.run import open_run
from nas.settings import SettingsError
from nas.sweeps.settings import Range, SweepSettings, read_sweep
from nas.sweeps.table import TABLE, trials_of, write_trials
from nas.sweeps.tune import MISSED, OBJECTIVE, outcome, run_sweep, searcher, table_of, trial_path, values_of
from search_spaces.files.durable.places import PlaceError
from search_spaces.files.user_error import UserError
from tests.nas.mirror import mirrored

RANGES: dict[str, Any] = {
    "search.removals_per_round": {"whole": [1, 4]},
    "search.target_ratio": {"choices": [0.94, 0.9]},
    "robust_training.learning_rate": {"real": [1e-5, 1e-3], "log": True},
    "search.protected": {"choices": [[], ["resnet[mid,0]"]]},
}


def written(folder: Path, given: Path, /, **changed: Any) -> Path:
    path = folder / "sweep.yaml"
    sweep = {"experiment": str(given), "ranges": RANGES, "num_trials": 5} | changed
    path.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    return path


def proposals(sweep: SweepSettings, /) -> list[dict[str, Any]]:
    """What is proposed one after another, when each trial is as good as its number of removals."""
    asked, found = searcher(sweep), []
    for number in range(sweep.num_trials):
        proposed = asked.suggest(str(number))
        assert proposed is not None
        found.append(values_of(proposed, sweep=sweep))
        asked.on_trial_complete(str(number), {OBJECTIVE: -found[-1]["search.removals_per_round"]})
    return found


def test_the_same_seed_and_results_give_the_same_proposals_so_that_resuming_is_replaying(
    experiment: Path, tmp_path: Path
) -> None:
    sweep = read_sweep(written(tmp_path, experiment))
    first = proposals(sweep)
    assert proposals(sweep) == first
    assert proposals(read_sweep(written(tmp_path, experiment, seed=1))) != first
    for values in first:
        assert values.keys() == RANGES.keys()
        assert 1 <= values["search.removals_per_round"] <= 4
        assert values["search.target_ratio"] in (0.94, 0.9)
        assert 1e-5 <= values["robust_training.learning_rate"] <= 1e-3
        assert values["search.protected"] in ([], ["resnet[mid,0]"])


def test_what_is_proposed_goes_towards_more_and_evenly_by_the_logarithm_where_asked(
    experiment: Path, tmp_path: Path
) -> None:
    sweep = read_sweep(written(tmp_path, experiment))
    assert (searcher(sweep).metric, searcher(sweep).mode) == (OBJECTIVE, "max")
    rates = [
        values["robust_training.learning_rate"]
        for seed in range(12)
        for values in proposals(replace(sweep, seed=seed, num_trials=5))
    ]
    assert 15 < sum(rate < 1e-4 for rate in rates) < 45, "half of 60; evenly by the number it would be 5"


def test_a_trial_is_a_run_that_its_settings_name_and_a_missed_target_costs_it(run: Path, tmp_path: Path) -> None:
    values = {"search.target_ratio": 0.94, "search.protected": []}
    path = trial_path(values, out=tmp_path)
    assert trial_path(dict(reversed(values.items())), out=tmp_path) == path
    assert trial_path(values | {"search.target_ratio": 0.9}, out=tmp_path) != path
    shutil.copytree(run, path)
    found = outcome(values, out=tmp_path)
    spec = open_run(run).spec
    assert (found.objective, found.score, found.target_met) == (spec["clip"], spec["clip"], True)
    passes = [point.passes for point in scored_of(open_run(run))]
    assert found.passes == max(passes) > min(passes), "of all its scorings"
    missed = dict(spec) | {"target_latency_ms": spec["predicted_latency_ms"] / 1.5}
    (path / "architecture.json").write_text(json.dumps(missed), encoding="utf-8")
    assert outcome(values, out=tmp_path).objective == pytest.approx(spec["clip"] - 0.5 * MISSED)
    quick = dict(spec) | {"target_latency_ms": spec["predicted_latency_ms"] * 2}
    (path / "architecture.json").write_text(json.dumps(quick), encoding="utf-8")
    assert outcome(values, out=tmp_path).objective == spec["clip"], "nobody is paid for more than was asked"
    shutil.rmtree(path)
    mirrored(run, path)
    assert outcome(values, out=tmp_path).objective == spec["clip"], "of a score of which less is better, less"
    table = table_of((found,))
    better = replace(found, path=path.with_name("better"), objective=found.objective + 1)
    write_trials(table_of((found, better)), out=tmp_path)
    assert trials_of(tmp_path) == (better.path, path), "the best first"
    assert (tmp_path / TABLE).read_text(encoding="utf-8").startswith("trial,search.target_ratio,search.protected,")
    assert table.loc[0, "search.protected"] == "[]"
    assert table.loc[0, "run"] == path.name


@pytest.mark.parametrize(
    ("changed", "law"),
    [
        ({"ranges": {}}, "`ranges` must name at least one"),
        ({"ranges": {"search.speed": {"whole": [1, 2]}}}, "there is no such setting"),
        ({"ranges": {"search.target_ratio": {"real": [0.5, 1.5]}}}, "target_ratio: must be less than 1"),
        ({"ranges": {"seed": {"whole": [1, 2], "choices": [3]}}}, "give one of `choices`, `whole` and `real`"),
        ({"ranges": {"seed": {"whole": [2, 1]}}}, "a range is its first and its last number"),
        ({"ranges": {"seed": {"choices": [1], "log": True}}}, "`log` is of a range of numbers above 0"),
        ({"ranges": {"seed": {"whole": [1, 2**70]}}}, "a range is its first and its last number"),
        (
            {"ranges": {"robust_training.learning_rate": {"real": [0.1, math.inf]}}},
            "must be|a range is its first and its last",
        ),
        ({"ranges": {"score_store": {"choices": ["mine"]}}}, "score_store is given twice"),
        ({"experiment": "nowhere.yaml"}, "there is no config"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_it_starts(
    experiment: Path, tmp_path: Path, changed: dict[str, Any], law: str
) -> None:
    path = written(tmp_path, experiment, **changed)
    with pytest.raises(UserError, match=law) as error:
        read_sweep(path)
    assert str(path) in str(error.value)


def test_a_range_says_one_thing() -> None:
    with pytest.raises(SettingsError, match="give one of"):
        Range()


@pytest.mark.parametrize("name", ["trials.csv", "trials.parquet"])
def test_a_table_of_somebody_else_is_left_alone(experiment: Path, tmp_path: Path, name: str) -> None:
    """Who keeps trials in a folder of that name does not have a sweep there."""
    theirs = tmp_path / "out" / name
    (theirs.parent / "trials").mkdir(parents=True)
    theirs.write_text("patient,dose\n")
    with pytest.raises(PlaceError, match=r"is to become the table of a sweep, but a file that is none"):
        run_sweep(read_sweep(written(tmp_path, experiment)), out=theirs.parent)
    assert theirs.read_text() == "patient,dose\n"


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("trial,objective,run\n", "must tell of a trial, but tells of none"),
        ("", "must tell of a trial, but tells of none"),
        ("trial,run\n0,a\n", r"line 2 must have `objective`"),
        ("trial,objective,run\n0,nan,a\n1,much,b\n", r"2 problems:[\s\S]*has nan[\s\S]*'much'"),
        ("trial,objective,run\n0,0.5,../../elsewhere\n", "must have the name of a folder in trials as `run`"),
        ("trial,objective,run\n0,0.5,\n", "line 2 must"),
        ('trial,objective,run\n0,"0.5', "line 2 must"),
    ],
)
def test_a_damaged_table_is_refused_with_its_lines(text: str, law: str, tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text(text)
    with pytest.raises(UserError, match=law) as told:
        trials_of(tmp_path)
    assert str(tmp_path / TABLE) in str(told.value)


def test_the_shipped_sweep_is_that_of_the_page() -> None:
    root = Path(__file__).parents[3]
    shipped = root / "experiments" / "sweep.yaml"
    shown = (root / "docs" / "sweeps.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(shown) == yaml.safe_load(shipped.read_text(encoding="utf-8"))
    assert read_sweep(shipped).experiment == root / "experiments" / "demo.yaml"
