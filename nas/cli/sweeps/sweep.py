"""`nas sweep`: searches over the settings of a search."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat
from nas.cli.screen.json_text import json_text
from search_spaces.files.user_error import UserError


@user_errors
def sweep(
    config: Annotated[
        Path, typer.Argument(help="sweep, a YAML file; `nas init FILE.yaml --of sweep` writes one and its search")
    ],
    out: Annotated[Path | None, typer.Option(help="folder of the sweep (default: runs/<name of the file>)")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="only go on with a sweep that stands there, never begin one")
    ] = False,
    format: Annotated[
        TableFormat, typer.Option("--format", help="a table to read, JSON with stable keys, or CSV, a row per trial")
    ] = TableFormat.TABLE,
) -> None:
    """Search over the settings of a search: Optuna proposes them through Ray Tune, here or on a cluster.

    Trials share one store of scores, and each is a run like any other. The same command continues a sweep: finished
    trials are read, an interrupted one goes on. A line says what each trial came to;
    `trials.csv` and `trials.parquet` hold the table.

    Example: nas sweep sweep.yaml --out runs/sweep
    """
    folder = out or Path("runs") / config.stem
    if resume and not (folder / "trials").is_dir():
        raise UserError(f"there is no sweep in {folder} to go on with; leave out --resume to begin one")
    screen = Screen(stderr=True)
    with screen.status("reading the sweep"):
        from nas.cli.sweeps.bar import SweepBar
        from nas.sweeps.settings import read_sweep
        from nas.sweeps.tune import run_sweep, table_of

        loaded = read_sweep(config)
    screen.sentence(f"{config} -> {folder}")
    with SweepBar(screen, num=loaded.num_trials) as bar:
        table = table_of(run_sweep(loaded, out=folder, on_trial=bar.show))
    if format is TableFormat.JSON:
        say(json_text({"folder": str(folder), "trials": table.to_dict(orient="records")}))
    elif format is TableFormat.CSV:
        say(table.to_csv(index=False).rstrip())
    else:
        screen = Screen()
        shown = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in table.columns:
            shown.add_column(in_one_line(str(column)), justify="right", overflow="fold")
        for row in table.sort_values("objective", ascending=False).to_dict(orient="records"):
            shown.add_row(*(f"{v:.4f}" if isinstance(v, float) else in_one_line(str(v)) for v in row.values()))
        screen.print(shown)
        screen.sentence(
            f"next: nas report {folder} tells the best trial beside the others; nas plot {folder}/trials/* swept draws "
            "settings against results"
        )
