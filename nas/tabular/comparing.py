"""Comparing algorithms on a tabular benchmark: regret against evaluations, over seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import numpy as np
import pandas as pd

from nas.algorithms.algorithm import Algorithm
from nas.tabular.benchmark import Benchmark
from nas.tabular.replay import Point, Replay, problem_of

FIRST_COLUMN: Final = fields(Point)[0].name  # of all searches
EXACT: Final = 1e-9  # a regret that is none


def courses(
    benchmark: Benchmark,
    algorithms: Mapping[str, Algorithm[Any]],
    /,
    *,
    seeds: Sequence[int],
    target_ms: float | None = None,
    num_prompts: int | None = None,
    on_search: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Search with every algorithm and seed.

    Args:
        benchmark: Where.
        algorithms: By the name that they get.
        seeds: One search each.
        target_ms: The latency limit; None = the median of the sub-space.
        num_prompts: Of each score; None = all.
        on_search: Called with (searches done, all).

    Returns:
        One row per scored architecture: algorithm, seed, num_evaluations, num_passes, seconds, regret, volume.
    """
    parts, total = [], len(algorithms) * len(seeds)
    on_search(0, total)
    for name, algorithm in algorithms.items():
        for seed in seeds:
            problem = problem_of(benchmark, settings=algorithm.settings, target_ms=target_ms, seed=seed)
            replay = Replay(benchmark, problem, num_prompts=num_prompts)
            replay.search(algorithm)
            frame = pd.DataFrame(list(map(asdict, replay.course)))
            parts.append(frame.assign(algorithm=name, seed=seed))
            on_search(len(parts), total)
    return pd.concat(parts, ignore_index=True)


def summary(frame: pd.DataFrame, /, *, at: Sequence[int]) -> pd.DataFrame:
    """One row per algorithm: regret after some numbers of evaluations, and when there was none left.

    A search that ended sooner keeps what it had.

    Args:
        frame: As `courses` gives it.
        at: Numbers of evaluations.

    Returns:
        algorithm; num_seeds; for each number n: regret_n (mean) and spread_n (standard deviation), volume_n (mean)
        and volume_spread_n; share_exact
        (searches that found the best), evaluations_exact (their median number of evaluations until then; NaN =
        fewer than half found it).
    """
    rows = []
    for name, part in frame.groupby("algorithm", sort=False):
        row: dict[str, Any] = {"algorithm": name, "num_seeds": part["seed"].nunique()}
        for num in at:
            reached = part[part["num_evaluations"] <= num].groupby("seed")[["regret", "volume"]].last()
            regret, volume = reached["regret"], reached["volume"]
            row |= {f"regret_{num}": regret.mean(), f"spread_{num}": regret.std(ddof=0)}
            row |= {f"volume_{num}": volume.mean(), f"volume_spread_{num}": volume.std(ddof=0)}
        first = part[part["regret"] <= EXACT].groupby("seed")["num_evaluations"].min()
        first = first.astype(float).reindex(part["seed"].unique(), fill_value=np.inf)
        median = float(np.median(first))
        row |= {"share_exact": float(np.isfinite(first).mean())}
        row |= {"evaluations_exact": median if np.isfinite(median) else float("nan")}
        row |= {"evaluations": int(part.groupby("seed")["num_evaluations"].max().median())}
        rows.append(row)
    return pd.DataFrame(rows)
