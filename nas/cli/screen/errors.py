"""How the command line speaks of errors and warnings: what a user can mend is one plain message on stderr.

Exit codes, which docs/running_searches.md lists: 0 = done; 1 = a fault of ours, of a library or of a plugin, or a task
that failed on every worker; 2 = what was given cannot be used, or the system refuses (a full disk); 3 = `nas search`
ended without meeting its target; 130 = interrupted, as shells have it. A fault keeps its traceback; one that ends the
work in a run directory leaves it in `logs/driver.log` there, too.
"""

import functools
import os
import re
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, get_args

import typer

from nas.cli.screen.console import CheckedOutput, say, speakable
from nas.cli.screen.help_text import filled
from nas.runs.bundled.naming import is_bundled
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import PluginError, UserError

P = ParamSpec("P")
R = TypeVar("R")
FAILED: Final = 1
EXIT_CODE: Final = 2
TARGET_MISSED: Final = 3
INTERRUPTED: Final = 130
USER_ERRORS: Final = (UserError, OSError)
OUR_PACKAGES: Final = ("nas", "latency", "search_spaces")
LOG: Final = "driver.log"
_OUT_OF_MEMORY: Final = (
    "use a smaller batch (`validation.chunk_size`, `robust_training.batch_size`, `--batch-size`), fewer workers on "
    "one machine or card, or a narrower type"
)
_NO_MEMORY: Final = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|failed to allocate memory|out of memory",
    re.IGNORECASE,
)
_PASSING: Final = (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError)  # typer knows what to do


def user_errors(command: Callable[P, R], /) -> Callable[P, R]:
    """A typer command that ends with the exit code and the words of whatever is raised, and warns in plain lines.

    A `~` that its shell left in a path, as in `--out=~/runs`, is a home all the same.
    """

    @functools.wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> R:
        output, sys.stdout = sys.stdout, CheckedOutput(sys.stdout)  # it has all that a stream has
        try:
            with _plain_warnings():
                answer = command(*args, **{name: _at_home(value) for name, value in kwargs.items()})
                sys.stdout.flush()
                return answer
        except _PASSING:
            raise
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            raise typer.Exit(_told(error)) from error
        finally:
            sys.stdout = output

    for annotation in command.__annotations__.values():
        _refuse_empty_paths(annotation)
    reported.__doc__ = filled(command.__doc__)
    return reported


def _refuse_empty_paths(annotation: Any) -> None:
    """Let typer read a command's paths from what was typed: as a path, an empty text is the working folder."""
    kind, *infos = get_args(annotation) or (None,)
    if kind is Path or Path in get_args(kind):
        for info in infos:
            info.parser = _typed_path


def _typed_path(typed: str | Path, /) -> Path:
    """A path that was typed.

    Raises:
        BadParameter: It is empty.
    """
    if typed == "":
        raise typer.BadParameter("a path must not be empty; for the working folder say `.`")
    return Path(typed)


def _at_home(value: Any) -> Any:
    """An argument of a command whose paths have their homes written out."""
    if isinstance(value, list):
        return [_at_home(each) for each in value]
    return local_path(value) if isinstance(value, Path) else value


@contextmanager
def logged_in(run: Path, /) -> Iterator[None]:
    """Keep the traceback of what is no plain error of the user's in `logs/driver.log` of a run directory."""
    try:
        yield
    except _PASSING:
        raise
    except Exception as error:
        if (
            _is_fault(error)
            and not is_bundled(run)
            and any((run / name).is_file() for name in ("config.yaml", "training.yaml"))
        ):
            file = run / "logs" / LOG
            with suppress(OSError):  # a disk that takes no log must not hide what happened
                file.parent.mkdir(exist_ok=True)
                with file.open("a", encoding="utf-8", errors="backslashreplace") as log:
                    command = " ".join(sys.argv)
                    log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} process {os.getpid()}: {command}\n")
                    log.writelines(traceback.format_exception(error))
                error.__dict__[_LOGGED] = file
        raise


_LOGGED: Final = "_nas_log"


def _told(error: Exception) -> int:
    """Say what happened; the exit code that it has."""
    file = error.__dict__.get(_LOGGED)
    place = f"; the traceback is in {file}" if file is not None else ""
    if isinstance(error, USER_ERRORS):
        say(f"error: {_words(error)}{place}", err=True)
        return FAILED if _is_fault(error) else EXIT_CODE
    if _is_out_of_memory(error):
        say(f"error: the memory is used up ({_first_line(error)}); {_OUT_OF_MEMORY}{place}", err=True)
        return FAILED
    if isinstance(error, RuntimeError) and _is_ours(type(error)):  # says itself what happened where
        say(f"error: {error}{place}", err=True)
        return FAILED
    say("".join(traceback.format_exception(error)).rstrip(), err=True)
    kept = file if file is not None else "above"
    say(
        f"error: a fault of this program or of a library, and not yours: {type(error).__name__}: {_first_line(error)}\n"
        f"The traceback is {'in ' if file is not None else ''}{kept}; please report it with the command and "
        "what `nas --version` says",
        err=True,
    )
    return FAILED


def _is_out_of_memory(error: Exception) -> bool:
    """Whether the memory is used up: that of a card or, by the words alone, that of torch and ONNX Runtime on a CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported
        return True
    if not isinstance(error, RuntimeError) or _is_ours(type(error)):  # ours may quote a worker's
        return False
    return _NO_MEMORY.search(str(error)) is not None


def _words(error: Exception) -> str:
    """An error's message; one of the system's own names its file and what was refused."""
    if not isinstance(error, OSError) or error.errno is None or not error.strerror:
        return str(error)
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    place = " -> ".join(names) or "a file or device that the system does not name"
    return f"{place}: {error.strerror} (errno {error.errno})"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no words")


def _is_fault(error: Exception) -> bool:
    """Whether code is at fault, ours or a plugin's, so that somebody needs the traceback."""
    return not isinstance(error, USER_ERRORS) or (isinstance(error, PluginError) and error.__cause__ is not None)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Our own warnings as one line each, without the line of code that gave them; others' stay as they are."""
    before = warnings.formatwarning

    def plain(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if _is_ours(category):
            return f"warning: {speakable(message)}\n"
        return speakable(before(message, category, filename, lineno, line))

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = before


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in OUR_PACKAGES
