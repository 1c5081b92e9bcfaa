"""The command `nas init`: a file to begin with, of any job."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.config.template import Of, Preset


@user_errors
def init(
    file: Annotated[Path, typer.Argument(help="YAML file to write; must not exist")],
    of: Annotated[
        Of, typer.Option(help="the job; `train` is a search that trains, and what `nas train` takes")
    ] = Of.SEARCH,
    algorithm: Annotated[
        str | None,
        typer.Option(help="of a search, with all of its own settings; `nas plugins` lists them", show_default=False),
    ] = None,
    preset: Annotated[
        Preset, typer.Option(help="by what a search decides: as the defaults do, or as the paper's Algorithm 1 does")
    ] = Preset.OURS,
) -> None:
    """Write a commented file that works as it stands, on the bundled model: a search, or any other job's.

    A sweep names a search, a pipeline the files of its stages: those are written beside it, as
    FILE-search.yaml and the like. `nas settings` says what else a file may hold.

    Examples: nas init mine.yaml --algorithm local_search
              nas init mine.yaml --of sweep
    """
    from nas.config.jobs.writing import write_job

    written = write_job(file, of=of, preset=preset, algorithm=algorithm)
    say(f"wrote {', '.join(map(str, written.files))}")
    if written.pictures is not None:
        say(f"first: python -m search_spaces.shapes {written.pictures}   draws pictures for the bundled model")
    foresees = {
        Of.SEARCH: f", `{written.command} --dry-run` says what it would cost",
        Of.DEVICES: f", `{written.command} search.devices=[] --dry-run` says what one of its searches would cost",
    }
    say(f"`{written.command}` runs it{foresees.get(of, '')}")
