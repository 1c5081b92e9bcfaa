"""How the command line speaks of a user's errors and warnings: one plain message on stderr, no traceback.

The library raises `ValueError` (law, values, place, remedy) or the operating system's errors, such as a full disk:
exit code 2. A `RuntimeError` of ours, such as a task that fails on every worker, says itself what happened where: exit
code 1. An interrupted command ends with 130, as shells have it. Anything else is our own bug and keeps its traceback.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")
EXIT_CODE: Final = 2
FAILED: Final = 1
INTERRUPTED: Final = 130
USER_ERRORS: Final = (ValueError, OSError)
OUR_PACKAGES: Final = ("nas", "latency", "search_spaces")


def user_errors(command: Callable[P, R], /) -> Callable[P, R]:
    """A typer command that ends with exit code 2 and the message of a user's error, and warns in plain lines."""

    @functools.wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _plain_warnings():
                return command(*args, **kwargs)
        except BrokenPipeError:  # who read our output has gone; typer knows what to do
            raise
        except USER_ERRORS as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(EXIT_CODE) from error
        except RuntimeError as error:
            if not _is_ours(type(error)):
                raise
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return reported


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Our own warnings as one line each, without the line of code that gave them; others' stay as they are."""
    before = warnings.formatwarning

    def plain(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if _is_ours(category):
            return f"warning: {message}\n"
        return before(message, category, filename, lineno, line)

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = before


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in OUR_PACKAGES
