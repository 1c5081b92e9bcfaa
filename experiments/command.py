"""An experiment's command: what a person can mend is one sentence, as `nas` says it, and no traceback."""

import sys
from collections.abc import Callable

import typer

from search_spaces.files.durable.disk import StorageError
from search_spaces.files.user_error import UserError


def run(main: Callable[..., None], /) -> None:
    """Run a function as the command of its module; an error that a person can mend ends it with 2."""
    try:
        typer.run(main)
    except (UserError, StorageError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
