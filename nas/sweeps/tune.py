"""Sweeps: searches over the settings of a search, proposed by Optuna through Ray Tune, on one machine or a cluster.

    FOLDER/scores/           shared by all trials: what one has drawn, no other draws again
    FOLDER/trials/DIGEST/    a run like any other, named by the settings that its trial changed
    FOLDER/trials.csv        a row per trial, and trials.parquet

Resuming is replaying, as everywhere: the same command proposes the same settings again, a trial that is finished is
read from its folder, and one that was interrupted goes on. With one trial at a time the proposals are a function of the
seed and of the results; with several they also depend on which is done first.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from latency.exporters.extras import load_extra
from nas.config.loading import load_config
from nas.reports.hypervolume import scored_of
from nas.runs.run import open_run
from nas.runs.spec import SPEC_NAME
from nas.sweeps.ended import Listener, Telling, nobody
from nas.sweeps.settings import STORE, SweepSettings, override
from nas.sweeps.table import FIRST_COLUMN, check_table, write_trials
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.places import check_own
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from ray.tune.search.optuna import OptunaSearch

OBJECTIVE: Final = "objective"
MISSED: Final = 100.0  # taken from the score for each share by which a target is missed
_ERROR: Final = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt)\b")
_NAMED: Final = 12  # characters of a digest that name a trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial that ended.

    Attributes:
        number: From 0, in the order of proposals.
        values: What it changed, by dotted name.
        path: Its run directory.
        objective: Score of what it found; where that misses the target, `MISSED` less for each share of it.
        score: Of what it found.
        latency_ms: Predicted for it.
        target_met: Whether it keeps all limits.
        passes: UNet passes of its search, as if no store had held anything.
        hours: Wall time of its trainings and scorings.
    """

    number: int
    values: Mapping[str, Any]
    path: Path
    objective: float
    score: float
    latency_ms: float
    target_met: bool
    passes: int
    hours: float


def run_sweep(sweep: SweepSettings, /, *, out: Path, on_trial: Listener = nobody) -> tuple[Trial, ...]:
    """Run a sweep, or continue it, and write its table.

    Args:
        sweep: As `read_sweep` gives it.
        out: Its folder; made when there is none.
        on_trial: Hears of each trial that ends.

    Raises:
        MissingExtraError: Ray Tune or Optuna is not installed.
        UserError: A trial failed; the message names its folder.
    """
    load_extra("ray.tune", extra="ray")
    load_extra("optuna", extra="optuna")
    import ray
    from ray import tune

    from nas.workers.ray_cluster import connect

    out = local_path(out).absolute()
    check_own(out, marks=("trials", "tune"), what="a sweep")
    (out / "trials").mkdir(parents=True, exist_ok=True)
    check_table(out)
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    num_finished = len([*out.glob(f"trials/*/{SPEC_NAME}")])
    telling = Telling(num=sweep.num_trials, num_finished=num_finished, concurrency=sweep.concurrency, listen=on_trial)
    is_own = connect(sweep.address)
    try:
        tuner = tune.Tuner(
            tune.with_resources(tune.with_parameters(_trial, sweep=sweep, out=str(out)), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=searcher(sweep), num_samples=sweep.num_trials, max_concurrent_trials=sweep.concurrency
            ),
            run_config=tune.RunConfig(name="tune", storage_path=str(out), verbose=0, callbacks=[telling.callback()]),
        )
        results = tuner.fit()
    finally:
        if is_own:
            ray.shutdown()
    if results.errors:
        raise UserError(
            f"{len(results.errors)} trials failed, the first with: {_words(results.errors[0])}; the same command goes "
            f"on, their runs stand in {out / 'trials'}"
        )
    found = [results[index].metrics or {} for index in range(len(results))]
    found.sort(key=lambda metrics: float(metrics["started"]))
    trials = tuple(outcome(metrics["values"], out=out, number=number) for number, metrics in enumerate(found))
    write_trials(table_of(trials), out=out)
    return trials


def searcher(sweep: SweepSettings, /) -> "OptunaSearch":
    """Who proposes: Optuna's sampler over the ranges, with the sweep's seed."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    space: dict[str, optuna.distributions.BaseDistribution] = {}
    for key, each in sweep.ranges.items():
        if each.choices:  # as JSON: Optuna's categories are plain values
            space[key] = optuna.distributions.CategoricalDistribution([json.dumps(value) for value in each.choices])
        elif each.whole:
            space[key] = optuna.distributions.IntDistribution(each.whole[0], each.whole[1], log=each.log)
        else:
            space[key] = optuna.distributions.FloatDistribution(each.real[0], each.real[1], log=each.log)
    return OptunaSearch(space=space, metric=OBJECTIVE, mode="max", seed=sweep.seed)


def values_of(proposed: Mapping[str, Any], /, *, sweep: SweepSettings) -> dict[str, Any]:
    """What a proposal changes, as plain values."""
    return {key: json.loads(value) if sweep.ranges[key].choices else value for key, value in proposed.items()}


def trial_path(values: Mapping[str, Any], /, *, out: Path) -> Path:
    """The run directory of a trial: the same for the same settings."""
    return out / "trials" / digest_of(dict(values))[:_NAMED]


def outcome(values: Mapping[str, Any], /, *, out: Path, number: int = 0) -> Trial:
    """What a finished trial came to.

    Args:
        values: What it changed.
        out: The sweep's folder.
        number: Of the trial.
    """
    path = trial_path(values, out=out)
    run = open_run(path)
    spec, sign = run.spec, 1 if run.higher_is_better else -1
    over = max(0.0, spec["predicted_latency_ms"] / spec["target_latency_ms"] - 1)
    return Trial(
        number=number,
        values=dict(values),
        path=path,
        objective=sign * spec["clip"] - MISSED * over,
        score=spec["clip"],
        latency_ms=spec["predicted_latency_ms"],
        target_met=spec["target_met"],
        passes=max((point.passes for point in scored_of(run)), default=0),
        hours=run.hours,
    )


def table_of(trials: tuple[Trial, ...], /) -> pd.DataFrame:
    """One row per trial, a column per setting that it changed."""
    names = ("objective", "score", "latency_ms", "target_met", "passes", "hours")
    rows = [
        {FIRST_COLUMN: each.number, **{key: _cell(value) for key, value in each.values.items()}}
        | {name: getattr(each, name) for name in names}
        | {"run": each.path.name}
        for each in trials
    ]
    return pd.DataFrame(rows)


def _cell(value: Any) -> Any:
    """A value as a table holds it."""
    return value if isinstance(value, (int, float, str)) else json.dumps(value)


def _words(error: BaseException) -> str:
    """What a trial ended by, of the traceback that Ray makes of it: from the last line that names an error."""
    lines = str(error).strip().splitlines()
    begins = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    return " ".join(line.strip() for line in lines[begins[-1] if begins else -1 :]) or type(error).__name__


def _trial(proposed: dict[str, Any], *, sweep: SweepSettings, out: str) -> None:
    """A trial, in a process of its own: a search in its own folder, or what that holds already."""
    import time

    from ray import tune

    from nas.search.run_search import run_search

    started, folder, values = time.time(), Path(out), values_of(proposed, sweep=sweep)
    overrides = [override(key, value) for key, value in values.items()]
    store = [override(STORE, str(folder / "scores"))]
    config = load_config(sweep.experiment, overrides=[*sweep.overrides, *overrides, *store])
    path = trial_path(values, out=folder)
    is_read = (path / SPEC_NAME).is_file()
    run_search(config, out=path, on_round=lambda done: None)
    found = outcome(values, out=folder)
    said = {name: getattr(found, name) for name in ("values", OBJECTIVE, "score", "latency_ms", "target_met")}
    tune.report({**said, "started": started, "is_read": is_read})
