"""Which blocks matter: what a round's actions cost and saved, one row each, with how sure that is."""

from math import inf, nan
from typing import TYPE_CHECKING, Any

import pandas as pd

from nas.reports.facts import (
    SIGNS,
    action_name,
    actions_of,
    block_names,
    executed,
    records,
    scaled,
    score_name,
    weighed_of,
)
from nas.reports.style import (
    GREEN,
    GREY,
    INK,
    KIND_COLOURS,
    KIND_MARKERS,
    PALE,
    RED,
    beside,
    boxes,
    new_figure,
    note,
    styled,
    tidy,
)
from nas.runs.frames.decisions import inverse
from nas.runs.run import Run
from search_spaces.actions import Sign
from search_spaces.blocks import BlockKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROWS = 60
REMOVES = f"{SIGNS[Sign.REMOVE]} "  # what almost every row would begin with


@styled
def importance(run: Run, /, *, round: int | None = None) -> "Figure":
    """Which blocks matter? Score lost, ms saved and their ratio for every scored action of a round, with intervals.

    Args:
        run: A run.
        round: Which round; None = the first.

    Raises:
        FigureError: The round has no scored action.
    """
    number, scored = actions_of(run, round=round)
    rows = importance_rows(run, scored, number=number)
    cut = rows if len(rows) <= MAX_ROWS else pd.concat([rows.head(MAX_ROWS // 2), rows.tail(MAX_ROWS // 2)])
    figure = new_figure(
        height=1.3 + 0.155 * len(cut),
        title=f"Which blocks matter: what each action would cost and save, round {number}",
    )
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1.25, 0.7, 1.25))
    unit = score_name(run)
    _dots(left, cut, "loss", f"{unit} lost")
    for kind in dict.fromkeys(cut["kind"]):
        bars = [(0, y - 0.3, row["saved"], 0.6) for y, row in enumerate(records(cut)) if row["kind"] == kind]
        boxes(middle, bars, color=_colour(kind), linewidth=0)
    middle.set_xlim(min(0.0, 1.05 * cut["saved"].min()), 1.05 * max(1e-9, cut["saved"].max()))
    tidy(middle, grid="x").set_xlabel("Saved (ms)")
    factor = _dots(right, cut, "value", f"{unit} lost per ms saved")
    right.plot(factor * cut["weighed"], range(len(cut)), marker="|", markersize=6, color=INK, linestyle="")
    left.set_yticks(range(len(cut)), [str(name) for name in cut["name"]], parse_math=False)
    left.set_ylim(len(cut) - 0.4, -0.6)
    for axes in (middle, right):
        axes.tick_params(labelleft=False, left=False)
    for y, fate in enumerate(cut["fate"]):
        if fate:
            beside(right, fate, y=y, colour=RED if fate == "removed" else GREEN)
    num = int(scored["num_prompts"].max())
    left_out = "" if cut is rows else f" {len(rows) - len(cut)} actions in the middle are left out."
    weighed = " Ticks: weighed by how sure the loss is, as the search ranked." if cut["weighed"].notna().any() else ""
    note(
        figure,
        f"Best to remove at the top. Bars: 95 % intervals over up to {num} prompts; pale where they cover 0: that "
        f"loss could be chance.\nSquares, blue: ResNets; circles, orange: cross-attentions.{weighed}{left_out}",
    )
    return figure


def importance_rows(run: Run, scored: pd.DataFrame, /, *, number: int) -> pd.DataFrame:
    """A row per scored action, best to remove first: name, kind, fate, loss, saved, value, each with low and high."""
    names, decided, score = block_names(run), executed(run).get(number, []), run.score
    weighed = weighed_of(run)
    order = scored.assign(
        weighed=[weighed.get((number, action), nan) for action in scored["action"]], cost=-scored["d_latency_ms"]
    )
    order["by"] = order["weighed"].fillna(order["value"])
    order = order.sort_values(["by", "cost"] if weighed else ["value"], kind="stable")
    saved = order["d_latency_ms"]
    lost = {end: order[f"d_{score}{end}"] for end in ("", "_low", "_high")}
    per_ms = {end: ms.where(saved > 0) / saved for end, ms in lost.items()}
    return pd.DataFrame(
        {
            "action": order["action"],
            "name": [action_name(action, names=names).removeprefix(REMOVES) for action in order["action"]],
            "kind": [kind_of(action) for action in order["action"]],
            "fate": [_fate(action, decided) for action in order["action"]],
            "saved": saved,
            "weighed": order["weighed"],
            **{f"loss{end}": values for end, values in lost.items()},
            **{f"value{end}": values for end, values in per_ms.items()},
        }
    ).reset_index(drop=True)


def kind_of(action: str, /) -> BlockKind | None:
    """The kind of block that an action is about, where it is one of a UNet."""
    return next((kind for kind in KIND_COLOURS if action[1:].startswith(f"{kind}[")), None)


def _fate(action: str, decided: list[str]) -> str:
    if action in decided:
        return "removed" if action.startswith("-") else "copied"
    return "copied" if action.startswith("-") and inverse(action) in decided else ""


def _colour(kind: BlockKind | None) -> str:
    return KIND_COLOURS[kind] if kind else GREY


def _dots(axes: "Axes", rows: pd.DataFrame, column: str, label: str) -> float:
    """A mean with its interval in every row, pale where the interval covers 0; what numbers are multiplied by."""
    factor, power = scaled([*rows[f"{column}_low"], *rows[f"{column}_high"]])
    axes.axvline(0, color=INK, linewidth=0.8, alpha=0.6)
    alike: dict[tuple[BlockKind | None, bool], list[tuple[int, float, float, float]]] = {}
    for y, row in enumerate(records(rows)):
        mean, low, high = (factor * row[f"{column}{end}"] for end in ("", "_low", "_high"))
        alike.setdefault((row["kind"], low <= 0 <= high), []).append((y, mean, low, high))
    for (kind, is_pale), dots in alike.items():  # what looks alike is one artist: a hundred of them take long
        look: dict[str, Any] = {"color": _colour(kind), "alpha": PALE if is_pale else 1.0}
        bounded = [(y, low, high) for y, _, low, high in dots if abs(low) < inf and abs(high) < inf]
        ys, lows, highs = ([each[at] for each in bounded] for at in range(3))
        axes.hlines(ys, lows, highs, linewidth=1.2, **look)
        means, at = [mean for _, mean, _, _ in dots], [y for y, *_ in dots]
        axes.plot(means, at, marker=KIND_MARKERS[kind] if kind else "D", markersize=3.6, linestyle="", **look)
    tidy(axes, grid="x").set_xlabel(f"{label} ({power.strip()})" if power else label)
    return factor
