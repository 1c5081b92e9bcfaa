"""One run in a row: how far it is, what it reached, what it took."""

from dataclasses import dataclass
from math import nan
from pathlib import Path

from nas.runs.run import Run
from nas.runs.trace import num_passes
from nas.scores.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in a row; what is not there yet is None or NaN.

    Attributes:
        name: Its directory's.
        state: "finished", "running" or "interrupted".
        stop: Why it ended.
        score: Name of the score that it searches by.
        base_latency_ms: Predicted for the base model.
        target_latency_ms: The objective.
        predicted_latency_ms: Of what it found; while it goes on, of its last round.
        target_met: Whether that meets the target.
        mean: Selection score of it, with its interval; see `low`, `high`.
        low: Lower end.
        high: Upper end.
        num_prompts: Prompts that went into it.
        round: The round that it is of.
        arch_id: Digest of its architecture.
        num_params: Its parameters.
        num_rounds: Rounds so far.
        num_pictures: Prompts that were scored, drawn or found in a store.
        num_passes: UNet passes of other scores than the run's own.
        hours: Wall time of trainings and scorings.
        age_s: Seconds since its last event.
    """

    name: str
    state: str
    stop: str | None
    score: str
    base_latency_ms: float
    target_latency_ms: float
    predicted_latency_ms: float
    target_met: bool | None
    mean: float
    low: float
    high: float
    num_prompts: int
    round: int | None
    arch_id: str | None
    num_params: int | None
    num_rounds: int
    num_pictures: int
    num_passes: int
    hours: float
    age_s: float


def summarise(run: Run, /, *, now: float, name: str | None = None) -> RunSummary:
    """A run in a row.

    Args:
        run: The run.
        now: Unix seconds.
        name: What to call it; None = its directory's name.
    """
    start, rounds = run.start, run.rounds()
    finish = run.events[-1] if run.is_finished else None
    row = None
    if not rounds.empty:
        of_found = rounds if finish is None else rounds[rounds["round"] == finish["round"]]
        if finish is not None and (of_found["arch_id"] == finish["arch_id"]).any():
            of_found = of_found[of_found["arch_id"] == finish["arch_id"]]
        row = of_found.iloc[-1].to_dict() if not of_found.empty else None
    target = float(start.get("target_latency_ms", nan))
    predicted = nan if row is None else float(row["predicted_latency_ms"])
    met = None if row is None else (bool(finish["target_met"]) if finish is not None else predicted <= target)
    return RunSummary(
        name=Path(run.path).resolve().name if name is None else name,
        state=run.state,
        stop=None if finish is None else finish["stop"],
        score=run.score,
        base_latency_ms=float(start.get("base_latency_ms", nan)),
        target_latency_ms=target,
        predicted_latency_ms=predicted,
        target_met=met,
        mean=nan if row is None else float(row[run.score]),
        low=nan if row is None else float(row[f"{run.score}_low"]),
        high=nan if row is None else float(row[f"{run.score}_high"]),
        num_prompts=0 if row is None else int(row["num_prompts"]),
        round=None if row is None else int(row["round"]),
        arch_id=None if row is None else str(row["arch_id"]),
        num_params=None if row is None else int(row["num_params"]),
        num_rounds=int(rounds["round"].nunique()),
        num_pictures=int(rounds["num_prompts"].sum() + run.evaluations()["num_prompts"].sum()),
        num_passes=num_passes(run.events),
        hours=run.hours,
        age_s=nan if run.last_time is None else max(now - run.last_time, 0.0),
    )


def in_words(interval: Interval | RunSummary, /) -> str:
    """A mean with its interval: "0.9306 [0.9132, 0.9480]"; "" where there is none."""
    if interval.mean != interval.mean:
        return ""
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
