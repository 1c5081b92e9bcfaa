"""`nas runs`: the runs in a folder, how far each is and what it reached."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line, say, styled
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat, duration
from nas.cli.screen.json_text import json_text
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.reports.summary import RunSummary

DEPTH = 2  # folders below the one that is given


@user_errors
def runs(
    folder: Annotated[Path, typer.Argument(help="folder that runs lie in, up to two levels down")] = Path("runs"),
    format: Annotated[
        TableFormat, typer.Option("--format", help="a table to read, JSON with stable keys, or CSV")
    ] = TableFormat.TABLE,
) -> None:
    """The runs in a folder: state, target, what was reached, rounds, age, and hours spent.

    Example: nas runs runs --format csv
    """
    from nas.reports.summary import summarise
    from nas.runs.run import open_run

    rows: list[RunSummary] = []
    damaged: list[str] = []
    for path in run_folders(folder):
        name = "." if path == folder else str(path.relative_to(folder))
        try:
            rows.append(summarise(open_run(path), now=time.time(), name=name))
        except (UserError, OSError) as error:
            damaged.append(f"{name} cannot be read: {error}")
    if not rows and not damaged:
        raise UserError(f"there is no run in {folder}; `nas search` makes them, by default in runs/")
    if format is TableFormat.JSON:
        say(json_text([asdict(row) for row in rows]))
    elif format is TableFormat.CSV:
        import pandas as pd

        say(pd.DataFrame([asdict(row) for row in rows]).to_csv(index=False).rstrip())
    else:
        Screen().print(_table(rows))
    for sentence in damaged:
        say(f"warning: {in_one_line(sentence)}", err=True)


def run_folders(folder: Path, /) -> Iterator[Path]:
    """The run directories in a folder, itself included, in the order of their names.

    Raises:
        UserError: There is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; give the one that runs lie in, such as runs")
    yield from _below(folder, DEPTH)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "config.yaml").is_file():
        yield folder
    elif depth:
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.name.startswith("."):
                yield from _below(path, depth - 1)


def _table(rows: "list[RunSummary]") -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("run", "state", "target ms", "ms", "score", "rounds", "age", "hours"):
        table.add_column(name, justify="left" if name in ("run", "state", "score") else "right", overflow="fold")
    for row in rows:
        missed = row.target_met is False and row.state == "finished"
        state = f"{row.state}, target missed" if missed else row.state
        style = {"running": "cyan", "interrupted": "yellow"}.get(row.state, "yellow" if missed else "green")
        table.add_row(
            row.name,
            styled(state, style),
            number(row.target_latency_ms),
            number(row.predicted_latency_ms),
            _score(row),
            str(row.num_rounds),
            duration(row.age_s) if isfinite(row.age_s) else "",
            f"{row.hours:.2f}",
        )
    return table


def _score(row: "RunSummary") -> str:
    """Its mean and half the width of its interval; another score than CLIP's is named."""
    if not isfinite(row.mean):
        return ""
    name = "" if row.score == "clip" else f" {row.score}"
    return f"{row.mean:.4f} ±{(row.high - row.low) / 2:.4f}{name}"


def number(value: float, /) -> str:
    """Milliseconds; "" for NaN."""
    return f"{value:.3f}" if isfinite(value) else ""
