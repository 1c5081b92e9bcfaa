"""The command `nas init`: a config to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors


@user_errors
def init(file: Annotated[Path, typer.Argument(help="YAML file to write; must not exist")]) -> None:
    """Write a commented experiment that works as it stands: a search of the bundled model.

    It serves `nas search` and `nas train`, and `nas sweep` names it. Other commands take files of their own: `nas
    settings --of steps` and `--of decoder` say what those of `nas distill` hold, and the repository has one of each:
    experiments/distillation/steps.yaml and decoder.yaml, experiments/pipeline.yaml.

    Example: nas init mine.yaml
    """
    from nas.config.template import write_template

    write_template(file)
    say(f"wrote {file}; `nas search {file}` runs it, `nas search {file} --dry-run` says what it would cost")
