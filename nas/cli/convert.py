"""The command `nas convert`."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors


@user_errors
def convert(
    file: Annotated[Path, typer.Argument(help="single-file checkpoint, a .safetensors")],
    out: Annotated[Path, typer.Argument(help="pipeline folder to write; must not exist")],
    config: Annotated[
        str, typer.Option(help="pipeline folder of the same family, or hub:ORG/NAME, for configs and tokenizers")
    ],
) -> None:
    """Make a pipeline folder of a single-file checkpoint, without opening pickles.

    Example: nas convert my_model.safetensors models/my_model --config models/sd15
    """
    from nas.pipelines.source import local_folder

    folder = local_folder(config, weights=False)
    from nas.pipelines.convert import convert_checkpoint

    num_params = convert_checkpoint(file, out=out, config=folder)
    say(f"{num_params:,} parameters -> {out}")
