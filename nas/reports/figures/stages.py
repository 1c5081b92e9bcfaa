"""Where time and parameters lie, stage by stage, before and after: the paper's bar chart."""

from typing import TYPE_CHECKING, Final

import pandas as pd

from nas.reports.facts import architectures, base_of, found_round
from nas.reports.layout import stage_names
from nas.reports.style import BLUE, FAINT, GREY, INK, ORANGE, boxes, digits, new_figure, note, styled, tidy
from nas.runs.run import Run
from search_spaces.architecture import Architecture
from search_spaces.blocks import BlockKind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OTHER: Final = "other"
KINDS: Final[dict[str, str]] = {
    BlockKind.RESNET: "ResNets",
    BlockKind.CROSS_ATTENTION: "cross-attentions",
    OTHER: "samplers, stem, head",
}
COLOURS: Final[dict[str, str]] = {BlockKind.RESNET: BLUE, BlockKind.CROSS_ATTENTION: ORANGE, OTHER: GREY}
OUTSIDE: Final = "Outside"


@styled
def stages(run: Run, /) -> "Figure":
    """What became faster and smaller? Latency and parameters of every stage, before and after the search.

    A run without prices of single blocks, such as one of an older version, has its blocks counted instead.

    Raises:
        FigureError: No round is scored yet, or the search is not over UNets.
    """
    every = architectures(run)
    number = found_round(run)
    number = max(every) if number is None or number not in every else number
    blocks = run.blocks()
    before, after = (blocks[blocks["arch_id"] == one.arch_id] for one in (base_of(run), every[number]))
    if before.empty or after.empty:
        return _counted(run, base_of(run), every[number], number)
    before, after = (frame[frame["round"] == frame["round"].iloc[0]] for frame in (before, after))
    order = [*dict.fromkeys(paper for paper, _ in stage_names(base_of(run)).values()), OUTSIDE]
    priced = before["ms"].notna().any() and after["ms"].notna().any()
    columns = {"ms": ("Latency (ms)", 1.0)} if priced else {}
    columns["num_params"] = ("Parameters (millions)", 1e-6)
    figure = new_figure(height=0.9 + 2.3 * len(columns), title=_title(run, number))
    panels, sums = figure.subplots(len(columns), 1, squeeze=False).ravel(), []
    for axes, (column, (label, factor)) in zip(panels, columns.items(), strict=True):
        tables = [_by_stage(frame, column, order) * factor for frame in (before, after)]
        sums.append(f"{label}: {' to '.join(digits(table.to_numpy().sum()) for table in tables)} in all.")
        _bars(axes, tables, label=label, form="{:.1f}" if column == "ms" else "{:.2f}")
    _legend(panels[0])
    missing = "" if priced else " Milliseconds are missing: the latency source prices whole models only."
    note(figure, f"Left bar of a pair: the base model. Right bar: {_which(run, number)}.\n{' '.join(sums)}{missing}")
    return figure


def _counted(run: Run, base: Architecture, found: Architecture, number: int) -> "Figure":
    """The same with counts of blocks, which every trace holds."""
    figure = new_figure(height=3.2, title=_title(run, number, what="How many blocks each stage has"))
    axes, names = figure.subplots(), stage_names(base)
    order = list(dict.fromkeys(paper for paper, _ in names.values()))
    tables = []
    for architecture in (base, found):
        counts = {paper: dict.fromkeys(KINDS, 0.0) for paper in order}
        for stage in architecture.stages:
            of_stage = counts[names[stage.place][0]]
            of_stage[BlockKind.RESNET] += stage.num_resnets
            of_stage[BlockKind.CROSS_ATTENTION] += stage.num_cross_attentions
        tables.append(pd.DataFrame.from_dict(counts, orient="index"))
    _bars(axes, tables, label="Blocks", form="{:.0f}")
    _legend(axes)
    note(
        figure,
        f"Left bar of a pair: the base model. Right bar: {_which(run, number)}.\nMilliseconds and parameters per stage "
        "are missing: the run has no breakdown.jsonl, which searches of this version write.",
    )
    return figure


def _title(run: Run, number: int, *, what: str = "Where time and parameters lie") -> str:
    return f"{what}, before and after" + ("" if run.is_finished else f" (so far: round {number})")


def _which(run: Run, number: int) -> str:
    return "what was found" if number == found_round(run) else f"round {number}"


def _by_stage(blocks: pd.DataFrame, column: str, order: list[str]) -> pd.DataFrame:
    """Sums per paper stage and kind."""
    kinds = blocks["kind"].where(blocks["kind"].isin(list(KINDS)), OTHER)
    stage = blocks["paper_stage"].where(blocks["paper_stage"].isin(order), OUTSIDE)
    sums = blocks.assign(kind=kinds, paper_stage=stage, **{column: blocks[column].astype(float)}).pivot_table(
        index="paper_stage", columns="kind", values=column, aggfunc="sum", fill_value=0.0
    )
    return sums.reindex(index=order, columns=list(KINDS), fill_value=0.0)


def _bars(axes: "Axes", tables: list[pd.DataFrame], *, label: str, form: str) -> None:
    """Two stacked bars for every stage."""
    for side, table in enumerate(tables):
        bottom = pd.Series(0.0, index=table.index)
        places = [x + (-0.21, 0.21)[side] for x in range(len(table))]
        for kind in (kind for kind in KINDS if any(one[kind].any() for one in tables)):
            bars = zip(places, bottom, table[kind], strict=True)
            boxes(
                axes, [(x - 0.19, low, 0.38, high) for x, low, high in bars], facecolor=COLOURS[kind], edgecolor=INK,
                linewidth=0.3, alpha=FAINT if side == 0 else 1.0, label=KINDS[kind] if side else "_",
                hatch="///" if kind is BlockKind.CROSS_ATTENTION else None,
            )  # fmt: skip
            bottom = bottom + table[kind]
        for x, total in zip(places, bottom, strict=True):
            axes.annotate(
                form.format(total), (x, total), xytext=(0, 1.5), textcoords="offset points", ha="center", fontsize=6.5,
                in_layout=False,
            )  # fmt: skip
    axes.set_xticks(range(len(tables[0])), list(tables[0].index))
    tidy(axes, grid="y").set_ylabel(label)
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 1.12 * max(1e-9, *(table.sum(axis=1).max() for table in tables)))


def _legend(axes: "Axes") -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
