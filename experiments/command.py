"""An experiment's command: it speaks of errors and warnings as `nas` does."""

from collections.abc import Callable

import typer

from nas.cli.screen.errors import user_errors


def run(main: Callable[..., None], /) -> None:
    """Run a function as the command of its module; what a person can mend ends it with 2 and one sentence."""
    typer.run(user_errors(main))
