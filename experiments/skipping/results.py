"""The study's numbers as a table, in words and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
from scipy.stats import sem, spearmanr

from experiments.skipping.one import FOUND, FULL, RECOVERED, folder_of
from experiments.skipping.study import CASES
from nas.reports.style import BLUE, GREEN, ORANGE, new_figure, note, styled, tidy
from search_spaces.files.strict_json import read_json_object

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURES: Final = {
    "full": "CLIP: the full UNet",
    "found": "CLIP: after removals",
    "rank_correlation": "Rank correlation",
}
_LOOKS: Final = {"constant": (BLUE, "o"), "ramped": (ORANGE, "^"), "sandwich": (GREEN, "s")}


def results(work: Path, /, *, cases: list[str], seeds: list[int]) -> pd.DataFrame:
    """A row per case and seed that has been done.

    Columns: case, seed, full, found, found_recovered (CLIP scores), mean_loss (of the single removals),
    rank_correlation (Spearman's, of single-removal scores with scores after recovery), num_recovered, seconds.
    """
    rows = []
    for case in cases:
        for seed in seeds:
            path = folder_of(work, case, seed) / "scores.json"
            numbers = read_json_object(path) if path.exists() else {}
            if "seconds" in numbers:  # the last one to be known
                rows.append({"case": case, "seed": seed, **row_of(numbers)})
    return pd.DataFrame(rows)


def row_of(numbers: dict[str, float], /) -> dict[str, float]:
    """What the numbers of a case with a seed say."""
    single = {name: score for name, score in numbers.items() if name.startswith("-")}
    pairs = [(single[name], numbers[RECOVERED + name]) for name in single if RECOVERED + name in numbers]
    return {
        "full": numbers[FULL],
        "found": numbers[FOUND],
        "found_recovered": numbers[RECOVERED + FOUND],
        "mean_loss": numbers[FULL] - sum(single.values()) / len(single),
        "rank_correlation": float(spearmanr(*zip(*pairs, strict=True)).statistic),
        "num_recovered": len(pairs),
        "seconds": numbers["seconds"],
    }


def summary(frame: pd.DataFrame, /) -> str:
    """A Markdown table: the mean over seeds, and the lowest and highest."""
    lines = [
        "| skipping | seeds | full | after the found removals | recovered | rank correlation |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for case, rows in frame.groupby("case", sort=False):
        told = [
            f"{rows[name].mean():.3f} ({rows[name].min():.3f} to {rows[name].max():.3f})"
            for name in ("full", "found", "found_recovered", "rank_correlation")
        ]
        lines.append(f"| {case} | {len(rows)} | {' | '.join(told)} |")
    return "\n".join(lines)


def pooled(frame: pd.DataFrame, /) -> str:
    """What skipping at all does, over all cases and seeds, and what a ramp does, paired by rate and seed.

    ± is a standard error, of two numbers or more.
    """
    skips = frame["case"] != "0"
    rates = frame["case"].str.removesuffix(" ramped")
    is_ramped = frame["case"].str.endswith(" ramped")
    lines = ["| measure | not skipped | skipped | ramped less constant |", "|---|---:|---:|---:|"]
    for name in ("full", "found", "found_recovered", "mean_loss", "rank_correlation"):
        by_pair = frame.assign(rate=rates).set_index(["rate", "seed"])[name]
        ramped = (by_pair[is_ramped.to_numpy()] - by_pair[~is_ramped.to_numpy()]).dropna()
        told = [_mean_and_error(part) for part in (frame.loc[~skips, name], frame.loc[skips, name], ramped)]
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)


def _mean_and_error(values: "pd.Series[float]") -> str:
    error = f" ± {sem(values):.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{error}" if len(values) else ""


@styled
def picture(frame: pd.DataFrame, /) -> "Figure":
    """Three panels with a row per case: a mark per seed, a line at their mean."""
    cases = [case for case in CASES if case in set(frame["case"])]
    figure = new_figure(
        height=1.4 + 0.28 * len(cases),
        title="What skipping blocks in training is good for, by how often they are skipped",
    )
    for panel, (name, title) in zip(figure.subplots(1, 3, sharey=True), MEASURES.items(), strict=True):
        axes = tidy(panel, grid="x")
        for row, case in enumerate(cases):
            colour, marker = _LOOKS[kind_of(case)]
            values = frame.loc[frame["case"] == case, name]
            axes.scatter(values, [row] * len(values), s=18, color=colour, marker=marker, alpha=0.7, linewidths=0)
            axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=colour, linewidth=1.6)
        axes.set(title=title, yticks=range(len(cases)), yticklabels=cases)
        axes.set_ylim(len(cases) - 0.5, -0.5)
    figure.axes[0].set_ylabel("Skip probability")
    note(
        figure,
        f"A mark per seed ({frame['seed'].nunique()} seeds), lines at their means. Blue circles: constant; orange "
        "triangles: ramped; green squares: sandwich.\nRemovals: what single scores lead to. Rank correlation: "
        f"Spearman's, of {int(frame['num_recovered'].max())} single scores with those after training without skipping.",
    )
    return figure


def kind_of(case: str, /) -> str:
    """Whether a case is constant, ramped or the sandwich."""
    return case if case == "sandwich" else "ramped" if case.endswith("ramped") else "constant"
