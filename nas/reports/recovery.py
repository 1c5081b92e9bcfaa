"""Recovery curves: the finalists of a re-ranking at every length of training, and how their ranks changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import pandas as pd

from nas.runs.run import Run
from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class RankChange:
    """What became of the order between two lengths, over the finalists that were scored at both.

    Attributes:
        before: The shorter length.
        after: The longer one.
        num: Finalists at both.
        tau: Kendall's tau-b of their scores: 1 = the same order, -1 = reversed; NaN where all scores are equal.
        flips: Pairs of finalists whose order changed.
        first_stays: Whether the best is still the best.
    """

    before: float
    after: float
    num: int
    tau: float
    flips: int
    first_stays: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCurves:
    """Finalists at every length.

    Attributes:
        frame: A row per finalist and length: `finalist` (1 = the best before), `arch_id`, `length` (share of the
            recovery training), `steps`, `mean`, `low`, `high`, `num_prompts`, `predicted_latency_ms`, `rank` at that
            length (1 = best).
        changes: Between each length and the next, and between the first and the last.
        final: Labels in the final order.
    """

    frame: pd.DataFrame
    changes: tuple[RankChange, ...]
    final: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "curves": self.frame.to_dict(orient="records"),
            "changes": [
                {name: getattr(each, name) for name in RankChange.__slots__}
                | {"tau": each.tau if each.tau == each.tau else None}
                for each in self.changes
            ],
            "final": list(self.final),
        }


def is_reranking(run: Run, /) -> bool:
    """Whether a run ranks finalists again."""
    return bool(run.config.get("search", {}).get("algorithm") == "rerank")


def recovery_curves(run: Run, /) -> RecoveryCurves:
    """The curves of a re-ranking, as far as it is.

    Raises:
        UserError: The run is none, or has scored nothing yet.
    """
    if not is_reranking(run):
        raise UserError(f"{run.path} ranks no finalists again; `nas rerank RUN` makes such a run")
    settings = run.config["search"]["settings"]
    lengths = settings.get("lengths", [0.0, 0.25, 0.5, 1.0])
    steps = run.config["robust_training"]["recovery_iterations"]
    order: dict[str, int] = {}
    rows = []
    for event in _scored(run):
        if event["round"] == 0:
            order.setdefault(event["arch_id"], len(order) + 1)
        length = lengths[event["round"]]
        clip: Mapping[str, Any] = event["clip"]
        rows.append(
            {
                "finalist": order[event["arch_id"]],
                "arch_id": event["arch_id"],
                "length": length,
                "steps": round(length * steps),
                "mean": clip["mean"],
                "low": clip["low"],
                "high": clip["high"],
                "num_prompts": clip["num_prompts"],
                "predicted_latency_ms": event["predicted_latency_ms"],
            }
        )
    if not rows:
        raise UserError(f"{run.path} has scored no finalist yet; `nas status` tells how far it is")
    frame = pd.DataFrame(rows)
    goodness = frame["mean"] if run.higher_is_better else -frame["mean"]
    frame["rank"] = goodness.groupby(frame["length"]).rank(ascending=False, method="first").astype(int)
    there = sorted(frame["length"].unique())
    pairs = list(pairwise(there)) + ([(there[0], there[-1])] if len(there) > 2 else [])
    finish = run.events[-1] if run.is_finished else None
    final = frame.sort_values(["length", "rank"], ascending=[False, True])["finalist"].drop_duplicates()
    return RecoveryCurves(
        frame=frame,
        changes=tuple(_change(frame, before, after) for before, after in pairs),
        final=tuple(f"finalist-{number}" for number in final) if finish is not None else (),
    )


def _scored(run: Run) -> list[Mapping[str, Any]]:
    """Evaluations of finalists: of each round those that are no reference."""
    found: list[Mapping[str, Any]] = []
    finalists = len(run.config["search"]["settings"]["finalists"])
    of_first = [event for event in run.events if event["event"] == "evaluation" and event["round"] == 0]
    found += of_first[len(of_first) - finalists :] if len(of_first) > finalists else []
    found += [event for event in run.events if event["event"] == "evaluation" and event["round"] > 0]
    return found


def _change(frame: pd.DataFrame, before: float, after: float) -> RankChange:
    ranks = [frame[frame["length"] == length].set_index("finalist")["rank"] for length in (before, after)]
    both = ranks[1].index.intersection(ranks[0].index)
    one, other = (each.loc[both] for each in ranks)
    flips = sum((one[i] < one[j]) != (other[i] < other[j]) for i, j in combinations(both, 2))
    return RankChange(
        before=before,
        after=after,
        num=len(both),
        tau=_tau(one, other) if len(both) > 1 else float("nan"),
        flips=int(flips),
        first_stays=bool(one.idxmin() == other.idxmin()),
    )


def _tau(one: "pd.Series[float]", other: "pd.Series[float]") -> float:
    from scipy.stats import kendalltau  # slow to import, and few runs rank anything again

    return float(kendalltau(one.to_numpy(), other.to_numpy()).statistic)
