"""The table and the picture of the fronts: hypervolumes over scorings, on the captions of the search and on others."""

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from experiments.fronts.searching import TARGETS
from nas.metrics.area import hypervolume
from nas.reports.style import SERIES, SERIES_MARKERS, new_figure, note, plain, styled, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AT: Final = (16, 32)  # scorings, the base aside
_EVERY: Final = 2


def area(part: pd.DataFrame, /, *, by: str, floor: float) -> float:
    """Hypervolume of some rows, from the base's latency and a score on.

    Args:
        part: With columns `share` and `by`.
        by: The column of the score.
        floor: The score that counts nothing.
    """
    return hypervolume(list(zip(part["share"], part[by], strict=True)), reference=(1.0, floor))


def volumes(courses: pd.DataFrame, fronts: pd.DataFrame, /, *, at: Sequence[int]) -> pd.DataFrame:
    """One row per algorithm: hypervolumes as shares of that of everything that all searches scored.

    Args:
        courses: A row per scoring: algorithm, seed, num, share, score.
        fronts: A row per point of a front at the last of `at`, with `held_out` besides; their shares are of all
            fronts together.
        at: Numbers of scorings, the base aside.

    Returns:
        algorithm, seeds, scored (median); for each number n volume_n and spread_n; held_out and held_out_spread; best,
        the mean over seeds of the best score within the hardest target, NaN where none is; best_held_out what those
        of the fronts have on other captions; volume_own and best_own of all that a search scored, where that is more.
    """
    floor, other_floor = courses["score"].min(), fronts["held_out"].min()
    everything = courses[courses["num"] <= at[-1]]
    most = area(everything, by="score", floor=floor)
    most_held_out = area(fronts, by="held_out", floor=other_floor)
    rows = []
    for name, part in courses.groupby("algorithm", sort=False):
        row: dict[str, Any] = {"algorithm": name, "seeds": part["seed"].nunique()}
        row["scored"] = int(part.groupby("seed")["num"].max().median())
        for num in at:
            found = [area(own[own["num"] <= num], by="score", floor=floor) / most for _, own in part.groupby("seed")]
            row |= {f"volume_{num}": pd.Series(found).mean(), f"spread_{num}": pd.Series(found).std(ddof=0)}
        row["volume_own"] = (
            sum(area(own, by="score", floor=floor) for _, own in part.groupby("seed")) / row["seeds"] / most
        )
        meeting = part[part["share"] <= TARGETS[-1]]
        row["best"] = meeting[meeting["num"] <= at[-1]].groupby("seed")["score"].max().mean()
        row["best_own"] = meeting.groupby("seed")["score"].max().mean()
        own = fronts[fronts["algorithm"] == name]
        again = pd.Series(
            [area(one, by="held_out", floor=other_floor) / most_held_out for _, one in own.groupby("seed")]
        )
        row |= {"held_out": again.mean(), "held_out_spread": again.std(ddof=0)}
        quick = own[own["share"] <= TARGETS[-1]]
        chosen = quick.loc[quick.groupby("seed")["score"].idxmax(), "held_out"]
        row |= {"best_held_out": chosen.mean(), "best_held_out_spread": chosen.std(ddof=0)}
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(told: pd.DataFrame, /, *, at: Sequence[int]) -> str:
    """The table; a search that was over before a number has its number of scorings in brackets."""
    heads = ["algorithm", *(f"after {num}" for num in at), "on other captions"]
    heads += [f"best at {TARGETS[-1]:.0%}", "on other captions"]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in told.to_dict("records"):
        numbers = [
            *((row[f"volume_{num}"], row[f"spread_{num}"]) for num in at),
            (row["held_out"], row["held_out_spread"]),
        ]
        cells = [_cell(mean, spread, seeds=row["seeds"]) for mean, spread in numbers]
        if row["scored"] < at[-1]:
            cells[-2] += f" ({row['scored']} scored)"
        cells.append(_cell(row["best"], 0.0, seeds=1))
        if row["scored"] > at[-1]:
            cells[-1] += f" (after {row['scored']}: {row['best_own']:.3f}, volume {row['volume_own']:.3f})"
        cells.append(_cell(row["best_held_out"], row["best_held_out_spread"], seeds=row["seeds"]))
        lines.append("| " + " | ".join([f"`{row['algorithm']}`", *cells]) + " |")
    return "\n".join(lines) + "\n"


def _cell(mean: float, spread: float, *, seeds: int) -> str:
    """A mean, with the deviation between seeds where there are several."""
    return "none" if isnan(mean) else f"{mean:.3f}" + (f" ± {spread:.3f}" if seeds > 1 else "")


@styled
def picture(courses: pd.DataFrame, fronts: pd.DataFrame, /, *, most: int) -> "Figure":
    """Hypervolume over scorings to the left; the fronts of seed 0 on other captions to the right."""
    figure = new_figure(height=3.4, title="The full space: 38 removals, real scores")
    left, right = (tidy(axes, grid="both") for axes in figure.subplots(1, 2))
    floor = courses["score"].min()
    whole = area(courses[courses["num"] <= most], by="score", floor=floor)
    for index, (name, part) in enumerate(courses.groupby("algorithm", sort=False)):
        look: dict[str, Any] = {
            "color": SERIES[index % len(SERIES)],
            "marker": SERIES_MARKERS[index % len(SERIES_MARKERS)],
            "markersize": 3,
            "linestyle": "-" if index < len(SERIES) else "--",
        }
        _course(left, part, floor=floor, whole=whole, most=most, label=plain(name, most=32), **look)
        own = fronts[(fronts["algorithm"] == name) & (fronts["seed"] == 0)]
        right.plot(own["share"], own["held_out"], **{**look, "linewidth": 0.7})
    left.set(xlabel="architectures scored", ylabel="share of the hypervolume of all", ylim=(0, 1))
    right.set(xlabel="share of the base's latency", ylabel="CLIP score on other captions")
    figure.legend(loc="outside right upper", fontsize=7)
    note(figure, "Left: means over seeds, by the captions that searches see. Right: fronts of seed 0.")
    return figure


def _course(axes: "Axes", part: pd.DataFrame, *, floor: float, whole: float, most: int, **look: Any) -> None:
    """The mean hypervolume of an algorithm's seeds after each number of scorings that all of them reached."""
    last = min(int(part.groupby("seed")["num"].max().min()), most)
    nums = range(0, last + 1, _EVERY)
    means = [
        sum(area(own[own["num"] <= num], by="score", floor=floor) for _, own in part.groupby("seed"))
        / part["seed"].nunique()
        / whole
        for num in nums
    ]
    axes.plot(list(nums), means, markevery=max(len(nums) // 5, 1), **look)
