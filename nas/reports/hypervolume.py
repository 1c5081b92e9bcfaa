"""Fronts of several searches against what they spent: hypervolume, the best at a budget, seeds with their spread.

Every scored architecture counts, a removal that was scored alone like a round's own, by its selection score. The
hypervolume is the area between the front and a reference point that all runs share: the base model's latency, and the
worst score that any round's own architecture had. Latencies are shares of each run's base model, so that its unit is
the score's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import isfinite, nan
from typing import Any, Final

import pandas as pd

from nas.metrics.area import hypervolume
from nas.reports.groups import GroupTest, groups_of, spread_of, test_of
from nas.runs.run import Run, Runs
from nas.runs.trace import passes_of, seconds_of

BUDGETS: Final = (0.25, 0.5, 1.0)  # shares of what the thriftiest run spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """An architecture when it was scored.

    Attributes:
        share: Its predicted latency as a share of the base model's.
        score: Its selection score.
        passes: UNet passes that the run had spent by then, this scoring and those of other scores included, as if no
            store had held anything.
        seconds: Wall time of trainings and scorings by then; from a store they take none.
        is_own: Whether it is a round's own, on all prompts.
    """

    share: float
    score: float
    passes: int
    seconds: float
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run reached and spent.

    Attributes:
        name: The run's.
        seed: Its seed.
        group: Number of the runs that differ from it in their seed alone; 0 = the first run's.
        passes: UNet passes in all.
        seconds: Wall time in all.
        hypervolume: At the end.
        best_at: Best score that meets the run's target, by passes spent; NaN where none did yet.
        by_passes: (passes, hypervolume) after each scoring.
        by_seconds: (seconds, hypervolume) after each scoring.
    """

    name: str
    seed: int
    group: int
    passes: int
    seconds: float
    hypervolume: float
    best_at: Mapping[int, float]
    by_passes: tuple[tuple[int, float], ...]
    by_seconds: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontComparison:
    """Fronts of runs by one score.

    Attributes:
        runs: In order.
        budgets: Passes at which `best_at` is told.
        reference: (share of the base's latency, score) from where hypervolumes are measured.
        groups: Mean and standard deviation of the hypervolumes of runs that differ in their seed alone, by group, and
            how many they are; a single run has no deviation.
        tests: Of each two groups that share two seeds or more.
    """

    runs: tuple[Spent, ...]
    budgets: tuple[int, ...]
    reference: tuple[float, float]
    groups: Mapping[int, tuple[float, float, int]]
    tests: tuple[GroupTest, ...]

    def frame(self) -> pd.DataFrame:
        """One row per run and scoring: `run`, `passes`, `seconds`, `hypervolume`."""
        rows = [
            (run.name, passes, seconds, volume)
            for run in self.runs
            for (passes, volume), (seconds, _) in zip(run.by_passes, run.by_seconds, strict=True)
        ]
        return pd.DataFrame(rows, columns=["run", "passes", "seconds", "hypervolume"])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are not there are None."""
        return {
            "reference": {"latency_share": self.reference[0], "score": self.reference[1]},
            "budgets_in_passes": list(self.budgets),
            "runs": [
                {
                    "name": run.name,
                    "seed": run.seed,
                    "group": run.group,
                    "passes": run.passes,
                    "seconds": run.seconds,
                    "hypervolume": run.hypervolume,
                    "best_at": {str(budget): _finite(score) for budget, score in run.best_at.items()},
                }
                for run in self.runs
            ],
            "groups": {
                str(group): {"mean": mean, "std": _finite(std), "num": num}
                for group, (mean, std, num) in self.groups.items()
            },
            "tests": [{key: _finite(value) for key, value in asdict(test).items()} for test in self.tests],
        }


def compare_fronts(runs: Runs, /) -> FrontComparison | None:
    """Fronts of runs, or None where they have different scores or one has scored nothing.

    Args:
        runs: One or more.
    """
    if len({(run.score, run.higher_is_better) for run in runs}) != 1:
        return None
    scored = [list(scored_of(run)) for run in runs]
    if not all(scored):
        return None
    sign = 1 if next(iter(runs)).higher_is_better else -1
    worst = min(sign * point.score for points in scored for point in points if point.is_own)
    reference = (1.0, worst)
    totals = [points[-1].passes for points in scored]
    budgets = tuple(dict.fromkeys(max(1, round(share * min(totals))) for share in BUDGETS))
    groups = groups_of(list(runs))
    spent = tuple(
        _spent(run, name, group, points, budgets=budgets, reference=reference, sign=sign)
        for run, name, group, points in zip(runs, runs.names, groups, scored, strict=True)
    )
    numbers = sorted(set(groups))
    volumes = {number: {run.seed: run.hypervolume for run in spent if run.group == number} for number in numbers}
    return FrontComparison(
        runs=spent,
        budgets=budgets,
        reference=(1.0, sign * worst),
        groups={number: spread_of([run.hypervolume for run in spent if run.group == number]) for number in numbers},
        tests=tuple(
            test
            for one, other in combinations(numbers, 2)
            if (test := test_of(volumes[one], volumes[other], first=one, second=other)) is not None
        ),
    )


def scored_of(run: Run, /) -> Iterator[Scored]:
    """The architectures that a run scored, in order."""
    start = run.start
    base_ms = float(start.get("base_latency_ms", nan))
    sampling = run.config.get("sampling", {})
    guided = float(sampling.get("guidance_scale", 1.0)) != 1.0
    passes_each = int(sampling.get("num_steps", 1)) * (2 if guided else 1)
    sign = 1 if run.higher_is_better else -1
    passes, seconds, own_ms, own_score = 0, 0.0, nan, nan
    for event in run.events:
        seconds += seconds_of(event)
        passes += passes_of(event)
        if event["event"] != "evaluation":
            continue
        passes += passes_each * event["clip"]["num_prompts"]
        if event["action"] is None:
            ms, score = event["predicted_latency_ms"], event["clip"]["mean"]
            if event.get("d_clip") is None:
                own_ms, own_score = ms, score
        else:  # paired with the round's own, so that few prompts of a race do not count as all
            ms, score = own_ms - event["d_latency_ms"], own_score - sign * event["d_clip"]["mean"]
        if isfinite(ms) and isfinite(score) and base_ms > 0:
            yield Scored(
                share=ms / base_ms, score=score, passes=passes, seconds=seconds, is_own=event["action"] is None
            )


def _spent(
    run: Run,
    name: str,
    group: int,
    points: Sequence[Scored],
    *,
    budgets: Sequence[int],
    reference: tuple[float, float],
    sign: int,
) -> Spent:
    target = float(run.start.get("target_latency_ms", nan)) / float(run.start.get("base_latency_ms", nan))
    front: list[tuple[float, float]] = []
    by_passes, by_seconds = [], []
    for point in points:
        here = (point.share, sign * point.score)
        if not any(share <= here[0] and good >= here[1] for share, good in front):
            front = [each for each in front if not (here[0] <= each[0] and here[1] >= each[1])] + [here]
        volume = hypervolume(front, reference=reference)
        by_passes.append((point.passes, volume))
        by_seconds.append((point.seconds, volume))

    def best(budget: int) -> float:
        good = [sign * p.score for p in points if p.passes <= budget and p.share <= target and p.is_own]
        return sign * max(good) if good else nan

    return Spent(
        name=name,
        seed=int(run.config.get("seed", 0)),
        group=group,
        passes=points[-1].passes,
        seconds=points[-1].seconds,
        hypervolume=by_passes[-1][1],
        best_at={budget: best(budget) for budget in budgets},
        by_passes=tuple(by_passes),
        by_seconds=tuple(by_seconds),
    )


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
