"""The one way to a person's terminal: every word that comes from data is shown, and none is obeyed.

A device's name, a path or a caption may hold what a terminal takes for a command (escape sequences) or rich for markup
(`[bold]`). Nothing in `nas.cli` prints but through this module, which spells such characters out.
"""

import errno
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

import typer
from rich.console import Console, Group, RenderableType
from rich.text import Text

__all__ = [
    "CheckedOutput", "Group", "OutputError", "RenderableType", "Screen", "in_one_line", "open_standard_streams", "say",
    "speakable", "styled",
]  # fmt: skip

# C0 and C1 controls but for line ends and tabs, halves of surrogate pairs, and what turns the direction of writing.
_COMMANDS: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_WIDE: Final = 1000  # columns of a file or a pipe, which break nothing
_LINE_ENDS: Final = re.compile("[\n\u2028\u2029]")


class OutputError(OSError):
    """Standard output does not take what is said; whatever the command wrote to files stands."""


def speakable(text: object, /) -> str:
    r"""A text in which every character that a terminal would obey is spelled out, such as \x1b; lines stay lines."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], str(text).replace("\r\n", "\n"))


def in_one_line(text: object, /) -> str:
    r"""The same for a name in the midst of a line: its line ends are spelled out too, as \n."""
    return _LINE_ENDS.sub(lambda found: ascii(found[0])[1:-1], speakable(text))


def styled(text: object, style: str, /) -> Text:
    """A text in a colour, for a cell of a table."""
    return Text(speakable(text), style=style)


def say(text: object = "", /, *, err: bool = False) -> None:
    """Say a line, on standard output or on standard error."""
    typer.echo(speakable(text), err=err)


class Screen(Console):
    """A terminal for tables, bars and sentences; brackets are brackets, and controls are spelled out.

    A file or a pipe is as wide as what is written to it, unless `COLUMNS` says otherwise: nothing is cut off there.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
        if not self.is_terminal and "COLUMNS" not in os.environ:
            self.width = _WIDE

    def render_str(self, text: str, **options: Any) -> Text:
        """What every text goes through on its way to the terminal, in tables and titles too."""
        return super().render_str(speakable(text), **options)

    def sentence(self, text: object, /, *, style: str | None = None) -> None:
        """Say a sentence; the terminal breaks it, so that it can be copied and searched for as a whole."""
        self.print(speakable(text), style=style, soft_wrap=True)


class CheckedOutput:
    """Standard output whose refusals are `OutputError`s, so that they are not taken for those of a run's disk."""

    def __init__(self, stream: TextIO, /) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str, /) -> int:
        """As a stream's."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise self._refusal(error) from error

    def flush(self) -> None:
        """As a stream's."""
        try:
            self._stream.flush()
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> OSError:
        if error.errno == errno.EPIPE:  # who read has gone, which is no fault
            return error
        with suppress(OSError, ValueError):  # what is left in its buffer goes nowhere, without a second complaint
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        return OutputError(
            f"standard output does not take what is said: {error.strerror or error}; it is no file of the command's "
            "own: give its disk some space, or send the output elsewhere"
        )


def open_standard_streams() -> None:
    """Let the streams that a shell closed (`>&-`) lead nowhere, so that no file of ours gets their numbers."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for the process's life
