"""`nas latency`: latency tables, measured here or imported, calibrated and looked at; a file per command."""

import typer

from nas.cli.latency.calibrate import calibrate
from nas.cli.latency.import_reports import import_
from nas.cli.latency.init import init
from nas.cli.latency.measure import measure
from nas.cli.latency.show import show
from nas.cli.latency.validate import validate

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
