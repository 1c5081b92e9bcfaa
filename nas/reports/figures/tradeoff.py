"""What quality costs: the score against latency, from the base model to what was found, of one search or of several."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pandas as pd

from nas.reports.facts import found_round, origin_name, rounds_of, score_name, start_of
from nas.reports.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    RED,
    SERIES,
    SERIES_MARKERS,
    FigureError,
    digits,
    new_figure,
    note,
    plain,
    styled,
    tidy,
)
from nas.runs.run import Run, Runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_RUNS = len(SERIES)
_BEGINS: Final = {"base": "the base model", "start": "where it began"}


@styled
def tradeoff(run: Run, /) -> "Figure":
    """What did speed cost? The score against predicted latency, round by round, with the target and all candidates.

    Raises:
        FigureError: No round is scored yet.
    """
    rounds, score, start = rounds_of(run), run.score, start_of(run)
    figure = new_figure(
        height=4.0, title=f"{score_name(run)} against latency, from {_BEGINS[origin_name(run)]} to what was found"
    )
    axes = tidy(figure.subplots(), grid="y")
    scored = run.evaluations()
    own = rounds.drop_duplicates("round").set_index("round")
    if not scored.empty:
        of_round = own.reindex(scored["round"])
        axes.scatter(
            of_round["predicted_latency_ms"].to_numpy() - scored["d_latency_ms"],
            of_round[score].to_numpy() - scored[f"d_{score}"] * (1 if run.higher_is_better else -1),
            s=9,
            color=GREY,
            alpha=0.55,
            linewidths=0,
            zorder=1,
        )
    _path(axes, own, score=score, colour=BLUE, marker="o")
    _name_rounds(axes, own, score=score, found=found_round(run), origin=origin_name(run))
    target = start["target_latency_ms"]
    axes.axvline(target, color=RED, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    axes.annotate(
        f"target {digits(target)} ms",
        (target, 0),
        xycoords=("data", "axes fraction"),
        xytext=(4, 3),
        textcoords="offset points",
        color=RED,
        va="bottom",
    )
    axes.set(xlabel="Predicted latency of one forward pass (ms)", ylabel=f"{score_name(run)}, mean over prompts")
    axes.margins(x=0.06, y=0.08)
    dots = "; grey: every candidate that was scored" if not scored.empty else ""
    num = int(own["num_prompts"].max())
    note(figure, f"Numbers: rounds. Bars: 95 % intervals over {num} prompts{dots}. Faster is to the left.")
    return figure


@styled
def fronts(*runs: Run) -> "Figure":
    """Which search gives most for its milliseconds? The best score at each latency, of several runs or devices.

    Raises:
        FigureError: No run, too many, runs by different scores, or one without a scored round.
    """
    if not 1 <= len(runs) <= MAX_RUNS:
        raise FigureError(f"fronts are told apart by colour and shape for 1 to {MAX_RUNS} runs, but got {len(runs)}")
    if len(scores := {run.score for run in runs}) > 1:
        raise FigureError(f"fronts need runs by one score, but got {', '.join(sorted(scores))}; draw them apart")
    every, bases = [rounds_of(run) for run in runs], [start_of(run)["base_latency_ms"] for run in runs]
    shared = max(bases) <= min(bases) * 1.001
    figure = new_figure(height=4.0, title=f"The best {score_name(runs[0])} that each search reached at a latency")
    axes = tidy(figure.subplots(), grid="y")
    score, better = runs[0].score, 1 if runs[0].higher_is_better else -1
    for number, (rounds, base, name) in enumerate(zip(every, bases, Runs(runs).names, strict=True)):
        colour, marker = SERIES[number], SERIES_MARKERS[number]
        own = rounds.assign(x=rounds["predicted_latency_ms"] if shared else 100 * rounds["predicted_latency_ms"] / base)
        front = own[undominated(own["x"].tolist(), (better * own[score]).tolist())].sort_values("x")
        axes.scatter(own["x"], own[score], s=10, color=colour, marker=marker, alpha=0.4, linewidths=0)
        axes.plot(front["x"], front[score], color=colour, marker=marker, markersize=5, label=plain(name, most=40))
    for target in sorted({start_of(run)["target_latency_ms"] for run in runs}) if shared else ():
        axes.axvline(target, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), alpha=FAINT, zorder=0)
    axes.set(
        xlabel="Predicted latency of one forward pass (ms)" if shared else "Predicted latency, % of the base model's",
        ylabel=f"{score_name(runs[0])}, mean over prompts",
    )
    axes.legend(loc="best")
    dashed = " Dashed: the targets." if shared else "\nDevices differ: each counts in its own base model's time."
    note(figure, f"Lines: rounds that no other round of the run beats in both. Pale: the other rounds.{dashed}")
    return figure


def undominated(latencies: Sequence[float], goodness: Sequence[float]) -> list[bool]:
    """Which points no other beats: none is as fast and better, or faster and as good."""
    points = list(zip(latencies, goodness, strict=True))
    return [not any(x <= ms and y >= good and (x, y) != (ms, good) for x, y in points) for ms, good in points]


def _path(axes: "Axes", own: pd.DataFrame, *, score: str, colour: str, marker: str) -> None:
    below, above = own[score] - own[f"{score}_low"], own[f"{score}_high"] - own[score]
    finite = [[value if value < float("inf") else 0.0 for value in values] for values in (below, above)]
    axes.errorbar(
        own["predicted_latency_ms"], own[score], yerr=finite, color=colour, marker=marker, markersize=4,
        elinewidth=0.8, linewidth=1.4, zorder=3,
    )  # fmt: skip


def _name_rounds(axes: "Axes", own: pd.DataFrame, *, score: str, found: int | None, origin: str) -> None:
    first = own.index[0]
    for number, row in own.iterrows():
        words = [str(number)] + [origin] * bool(number == first) + ["found"] * bool(number == found)
        top = row[f"{score}_high"] if row[f"{score}_high"] < float("inf") else row[score]
        axes.annotate(
            plain(" · ".join(words)),
            (row["predicted_latency_ms"], top),
            xytext=(0, 2),
            textcoords="offset points",
            weight="bold" if len(words) > 1 else "normal",
            ha="center",
            zorder=4,
        )
