"""The tables of a page: what stands in each cell, and the number that it is sorted by; pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nas.reports.page.values import BlockStory, Decision, Estimate, ReportData, Scored
from nas.reports.page.words import action_label, chance, interval, many, number

MAX_EVALUATIONS: Final = 600  # rows of the table of them
MAX_SCORED: Final = 8  # rows of a block


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column; numbers stand to the right and are sorted by their value, and wide texts are broken."""

    name: str
    is_number: bool = True
    is_wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is read, and what is sorted by; None where there is no number."""

    text: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row; a marked one stands out: it was executed, or is the result."""

    cells: tuple[Cell, ...]
    is_marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with its title and a sentence about it."""

    title: str
    words: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def tables_of(data: ReportData, /) -> tuple[Table, ...]:
    """The tables of a page; those without a row are left out."""
    names = {block.name: block.label for block in data.blocks}
    tables = (_rounds(data, names), _decisions(data, names), _blocks(data), _evaluations(data, names))
    return tuple(table for table in tables if table.rows)


def _rounds(data: ReportData, names: Mapping[str, str]) -> Table:
    score = data.score.words
    return Table(
        title="Rounds",
        words="Every architecture that was trained and scored. The result is marked.",
        columns=(
            Column(name="round"),
            Column(name="latency, ms"),
            Column(name=score),
            Column(name="interval", is_number=False),
            Column(name="prompts"),
            Column(name="parameters"),
            Column(name="then", is_number=False, is_wide=True),
        ),
        rows=tuple(
            Row(
                cells=(
                    _count(view.round),
                    Cell(text=number(view.latency_ms, digits=3), value=view.latency_ms),
                    Cell(text=number(view.score.mean, digits=4), value=view.score.mean),
                    Cell(text=_ends(view.score)),
                    _count(view.num_prompts),
                    Cell(text=many(view.num_params), value=view.num_params),
                    Cell(text=", ".join(action_label(action, names) for action in view.actions)),
                ),
                is_marked=view.is_found,
            )
            for view in data.rounds
        ),
    )


def _decisions(data: ReportData, names: Mapping[str, str]) -> Table:
    score = data.score.words
    cheap = {each.screened_by: each.unit for each in data.decisions if each.screened_by is not None}
    looked = " A cheap score says what an action makes worse: 0 is no change, a minus a gain." if cheap else ""
    return Table(
        title="Decisions",
        words="Every executed action. Chance: how likely it is as good as the runner-up, the best that was left. "
        "A copy is judged by what its removal would cost. Round right: how likely no other choice of the round loses "
        f"less for the same milliseconds, but for what counts as nothing; may cost: what the best one would lose less, "
        f"in the mean, in {score}.{looked}",
        columns=(
            Column(name="round"),
            Column(name="step"),
            Column(name="action", is_number=False),
            Column(name=f"{score} lost"),
            Column(name="saves, ms"),
            Column(name=f"{score} lost per ms"),
            Column(name="runner-up", is_number=False),
            Column(name="chance"),
            Column(name="round right"),
            Column(name="may cost"),
            *(Column(name=f"{by}, {unit}" if unit else by) for by, unit in cheap.items()),
        ),
        rows=tuple(
            Row(
                cells=(
                    _count(each.round),
                    _count(each.order),
                    Cell(text=action_label(each.action, names)),
                    Cell(text=interval(each.loss, signed=True), value=_mean(each.loss)),
                    Cell(text=number(each.saved_ms, digits=3), value=each.saved_ms),
                    Cell(text=number(each.value, digits=5, signed=True), value=each.value),
                    Cell(text=action_label(each.runner_up, names) if each.runner_up else ""),
                    Cell(text=chance(each.chance), value=each.chance),
                    Cell(text=chance(each.chance_right), value=each.chance_right),
                    Cell(text=number(each.expected_loss, digits=5), value=each.expected_loss),
                    *(_change(each) if each.screened_by == by else Cell(text="") for by in cheap),
                )
            )
            for each in data.decisions
        ),
    )


def _change(each: Decision) -> Cell:
    """What a cheap score says of an action."""
    return Cell(text=interval(each.change, signed=True), value=_mean(each.change))


def _blocks(data: ReportData) -> Table:
    score = data.score.words
    return Table(
        title="Blocks",
        words="Every block of the base. Lost: by its removal alone, when that was first scored. Those left are marked.",
        columns=(
            Column(name="block", is_number=False),
            Column(name="in actions", is_number=False),
            Column(name=f"{score} lost"),
            Column(name="saves, ms"),
            Column(name=f"{score} lost per ms"),
            Column(name="price, ms"),
            Column(name="parameters"),
            Column(name="left"),
            Column(name="removed in round"),
            Column(name="chance"),
        ),
        rows=tuple(_block(block) for block in data.blocks),
    )


def _block(block: BlockStory) -> Row:
    first, removed = block.first, block.removed
    loss, saved_ms, value = (first.loss, first.saved_ms, first.value) if first else (None, None, None)
    return Row(
        cells=(
            Cell(text=block.label),
            Cell(text=block.name),
            Cell(text=interval(loss, signed=True), value=_mean(loss)),
            Cell(text=number(saved_ms, digits=3), value=saved_ms),
            Cell(text=number(value, digits=5, signed=True), value=value),
            Cell(text=number(block.price_ms, digits=3), value=block.price_ms),
            Cell(text=many(block.num_params), value=block.num_params),
            _count(block.counts[-1]),
            _count(removed.round) if removed else Cell(text=""),
            Cell(text=chance(removed.chance) if removed else "", value=removed.chance if removed else None),
        ),
        is_marked=block.counts[-1] > 0,
    )


def _evaluations(data: ReportData, names: Mapping[str, str]) -> Table:
    score, is_weighed = data.score.words, any(each.weighed is not None for each in data.evaluations)
    weighed = " Weighed: by how sure a loss is, as the search ranked." if is_weighed else ""
    return Table(
        title="Evaluations",
        words="Every action that was scored, each alone, with the weights of its round. Those executed are marked."
        + weighed,
        columns=(
            Column(name="round"),
            Column(name="action", is_number=False),
            Column(name=f"{score} lost"),
            Column(name="saves, ms"),
            Column(name=f"{score} lost per ms"),
            *([Column(name="weighed, per ms")] if is_weighed else []),
            Column(name="rank"),
            Column(name="prompts"),
        ),
        rows=tuple(_evaluation(each, names, is_weighed=is_weighed) for each in told_evaluations(data.evaluations)),
    )


def told_evaluations(evaluations: Sequence[Scored], /) -> Sequence[Scored]:
    """Those that the table holds: all, or what was executed and the cheapest of every round."""
    if len(evaluations) <= MAX_EVALUATIONS:
        return evaluations
    per_round = MAX_EVALUATIONS // len({each.round for each in evaluations})
    return [each for each in evaluations if each.is_executed or (each.rank or 0) <= per_round]


def told_scores(block: BlockStory, /) -> Sequence[Scored]:
    """The rounds of a block that its card holds: all, or the first and the last ones."""
    num = len(block.scored)
    return block.scored if num <= MAX_SCORED else (block.scored[0], *block.scored[num - MAX_SCORED + 1 :])


def left_out_rows(evaluations: Sequence[Scored], blocks: Sequence[BlockStory], /) -> tuple[str, ...]:
    """What tables leave out, in words."""
    told = []
    if len(kept := told_evaluations(evaluations)) < len(evaluations):
        told.append(
            f"evaluations are the {len(kept):,} of {len(evaluations):,} that were executed or the cheapest of a round"
        )
    if any(len(told_scores(block)) < len(block.scored) for block in blocks):
        told.append(f"a block tells the first and the last {MAX_SCORED - 1} rounds of its scores")
    return tuple(told)


def _evaluation(each: Scored, names: Mapping[str, str], *, is_weighed: bool) -> Row:
    return Row(
        cells=(
            _count(each.round),
            Cell(text=action_label(each.action, names)),
            Cell(text=interval(each.loss, signed=True), value=_mean(each.loss)),
            Cell(text=number(each.saved_ms, digits=3), value=each.saved_ms),
            Cell(text=number(each.value, digits=5, signed=True), value=each.value),
            *([Cell(text=number(each.weighed, digits=5), value=each.weighed)] if is_weighed else []),
            Cell(text=f"{each.rank}/{each.num_ranked}", value=each.rank),
            _count(each.num_prompts),
        ),
        is_marked=each.is_executed,
    )


def _count(count: int) -> Cell:
    return Cell(text=str(count), value=count)


def _mean(estimate: Estimate | None) -> float | None:
    return estimate.mean if estimate is not None and math.isfinite(estimate.mean) else None


def _ends(estimate: Estimate) -> str:
    return f"[{number(estimate.low, digits=4)}, {number(estimate.high, digits=4)}]"
