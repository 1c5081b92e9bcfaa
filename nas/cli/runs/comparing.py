"""`nas compare`: several runs side by side."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat
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
    from nas.reports.side_by_side import sentences
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
    from nas.reports.side_by_side import lines

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("", overflow="fold")
    for row in found.rows:
        table.add_column(row.name, justify="right", overflow="fold")
    for name, cells in lines(found):
        table.add_row(name, *cells)
    return table
