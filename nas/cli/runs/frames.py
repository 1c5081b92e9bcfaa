"""`nas frames`: everything a run holds as tables, or in the formats of others' tools."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.reports.exporting.forms import ExportForm


@user_errors
def frames(
    run: Annotated[Path, typer.Argument(help="run directory; may be in progress")],
    out: Annotated[Path, typer.Option(help="folder to write to; made when there is none")],
    format: Annotated[
        ExportForm,
        typer.Option(
            "--format",
            help="csv, parquet: a file per frame; tensorboard: events; mlflow: a run in a store of its own; "
            "trace-events: the workers' timeline, which Perfetto opens; optuna: a journal for optuna-dashboard",
        ),
    ] = ExportForm.CSV,
) -> None:
    """Everything a run holds as tables, or in the formats of others' tools.

    csv and parquet: rounds, decisions, evaluations, races, blocks, scores, training, timings, exports, pictures; their
    columns stand in docs/traces.md. CSV holds texts as they are: to a spreadsheet, which takes what begins with = + - @
    for a formula, import them as text. tensorboard, mlflow and optuna are extras of the same names. Nothing goes over a
    network.

    Example: nas frames runs/demo --out frames --format parquet
    """
    from nas.reports.exporting.writing import write_frames
    from nas.runs.run import open_run

    opened = open_run(run)
    for path, what in write_frames(opened, out, form=format):
        say(in_one_line(f"{path}: {what}"))
    for notice in opened.notices:
        say(f"note: {in_one_line(notice)}", err=True)
