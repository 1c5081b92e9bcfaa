"""`nas distill`: fewer steps, and a smaller image decoder; a file per command."""

import typer

from nas.cli.distillation.decoder import decoder
from nas.cli.distillation.steps import steps

app = typer.Typer(
    no_args_is_help=True,
    help="Distillation: a UNet that samples in fewer steps, and an image decoder of fewer channels.",
)
app.command()(steps)
app.command()(decoder)
