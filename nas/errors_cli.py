"""How the command line speaks of a user's error: its message on stderr, exit code 2, no traceback.

The library raises `ValueError` (law, values, place, remedy) or the operating system's errors about files; anything
else is our own bug and keeps its traceback.
"""

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")
EXIT_CODE: Final = 2
USER_ERRORS: Final = (
    ValueError,
    FileNotFoundError,
    FileExistsError,
    NotADirectoryError,
    IsADirectoryError,
    PermissionError,
)


def user_errors(command: Callable[P, R], /) -> Callable[P, R]:
    """A typer command that ends with exit code 2 and the message of a user's error."""

    @functools.wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except USER_ERRORS as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from error

    return reported
