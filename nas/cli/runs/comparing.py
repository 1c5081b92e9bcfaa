"""`nas compare`: several runs side by side."""

import time
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.runs.listing import number
from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat, score_label
from nas.cli.screen.json_text import json_text

if TYPE_CHECKING:
    from nas.reports.comparison import RunComparison


@user_errors
def compare(
    runs: Annotated[list[Path], typer.Argument(help="run directories, two or more; differences are to the first")],
    format: Annotated[
        TableFormat, typer.Option("--format", help="a table to read, JSON with stable keys, or CSV, a row per run")
    ] = TableFormat.TABLE,
) -> None:
    """Runs side by side: settings that differ, what each reached, and the paired difference of their scores.

    Scores are those that each search selected by. Two runs whose scores stand on other prompts are not paired: their
    means may not be compared.

    Example: nas compare runs/demo runs/faster
    """
    from nas.reports.comparison import compare as put_side_by_side
    from nas.runs.run import open_runs

    found = put_side_by_side(open_runs(runs), now=time.time())
    if format is TableFormat.JSON:
        say(json_text(found.to_dict()))
    elif format is TableFormat.CSV:
        say(found.frame().to_csv(index=False).rstrip())
    else:
        screen = Screen()
        screen.print(_table(found))
        for sentence in sentences(found):
            screen.sentence(in_one_line(sentence))


def _table(found: "RunComparison") -> Table:
    """A column per run."""
    from nas.reports.summary import in_words

    rows, names = found.rows, {row.score for row in found.rows}
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="fold")
    for row in rows:
        table.add_column(row.name, justify="right", overflow="fold")
    label = score_label(names.pop()) if len(names) == 1 else "score"
    reached = {True: "yes", False: "no", None: ""}
    lines = (
        ("state", [row.state + (f", {row.stop}" if row.stop else "") for row in rows]),
        ("target, ms", [number(row.target_latency_ms) for row in rows]),
        ("predicted, ms", [number(row.predicted_latency_ms) for row in rows]),
        ("target met", [reached[row.target_met] for row in rows]),
        (f"{label}, selection", [in_words(row) for row in rows]),
        ("prompts", [str(row.num_prompts) if row.num_prompts else "" for row in rows]),
        ("better than the first", [_gain(found, index) for index in range(len(rows))]),
        ("parameters", [f"{row.num_params / 1e6:.2f} M" if row.num_params else "" for row in rows]),
        ("rounds", [str(row.num_rounds) for row in rows]),
        ("pictures", [f"{row.num_pictures:,}" for row in rows]),
        ("hours", [f"{row.hours:.2f}" for row in rows]),
        *((key, [str(value) for value in values]) for key, values in found.settings.items()),
        ("only here", [" ".join(only) for only in found.only]),
    )
    for name, cells in lines:
        table.add_row(name, *cells)
    return table


def _gain(found: "RunComparison", index: int) -> str:
    difference = found.differences[index]
    if difference is None:
        return ""
    gain = difference.gain
    return f"{gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]" if gain is not None else "not paired"


def sentences(found: "RunComparison", /) -> list[str]:
    """What a table cannot say: pairs, actions in common, and what is missing."""
    told = []
    for row, difference in zip(found.rows, found.differences, strict=True):
        if difference is not None and difference.gain is None:
            told.append(f"{row.name} is not paired with {found.rows[0].name}: {difference.why_not}")
        elif difference is not None and difference.gain is not None and isfinite(difference.gain.low):
            gain = difference.gain
            sure = gain.low > 0 or gain.high < 0
            told.append(
                f"{row.name} and {found.rows[0].name} share {gain.num_prompts} prompts; their difference is "
                f"{'surely not 0' if sure else 'within chance'} ({gain.confidence:.0%} interval)"
            )
    told.append(f"actions in common: {' '.join(found.common) or 'none'}")
    return [*told, *(f"note: {notice}" for notice in found.notices)]
