"""`nas latency`: latency tables, measured here or imported, calibrated and looked at; a file per command."""

import typer

from nas.latency_calibrate_cli import calibrate
from nas.latency_import_cli import import_, validate
from nas.latency_init_cli import init
from nas.latency_measure_cli import measure
from nas.latency_show_cli import show

app = typer.Typer(
    no_args_is_help=True,
    help="Latency tables: what every block of a UNet costs on one device.",
    rich_markup_mode="markdown",
)
app.command()(measure)
app.command()(init)
app.command("import")(import_)
app.command()(validate)
app.command()(calibrate)
app.command()(show)
