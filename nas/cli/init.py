"""The command `nas init`: a config to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.config.template import Preset, write_template


@user_errors
def init(
    file: Annotated[Path, typer.Argument(help="YAML file to write; must not exist")],
    preset: Annotated[
        Preset, typer.Option(help="by what it decides: as the defaults do, or as the paper's Algorithm 1 does")
    ] = Preset.OURS,
) -> None:
    """Write a commented experiment that works as it stands: a search of the bundled model.

    It serves `nas search` and `nas train`, and `nas sweep` names it. Other commands take files of their own: `nas
    settings --of steps` and `--of decoder` say what those of `nas distill` hold, and the repository has one of each:
    experiments/distillation/steps.yaml and decoder.yaml, experiments/pipeline.yaml.

    Example: nas init mine.yaml --preset paper
    """
    write_template(file, preset=preset)
    say(f"wrote {file}; `nas search {file}` runs it, `nas search {file} --dry-run` says what it would cost")
