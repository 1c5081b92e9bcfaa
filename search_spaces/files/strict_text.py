"""Text of files that somebody else wrote: UTF-8 with or without its mark, UTF-16 with one, or an error that says so."""

import codecs
import reprlib
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from search_spaces.files.user_error import UserError

MAX_BYTES: Final = 2**30  # a million captions are a tenth of it


class TextError(UserError):
    """Bytes that are no text, or that no file holds."""


def check_regular(path: Path, /) -> None:
    """Check that a path is no device, pipe or socket, which never end or wait forever; folders refuse to be read.

    Raises:
        TextError: It is one, or a link to one.
        OSError: Nothing is there.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise TextError(f"{path} must be a file, but is a device, a pipe or a socket; save what it gives as a file")


def read_bytes(path: Path, /) -> bytes:
    """Content of a whole file.

    Raises:
        TextError: It is a device, a pipe or a socket.
        OSError: It cannot be opened.
    """
    check_regular(path)
    return path.read_bytes()


def decoded(data: bytes, /) -> str:
    """Text of a file: UTF-8, or what its byte order mark says (redirected output on Windows is UTF-16).

    Raises:
        TextError: It is no text.
    """
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        code = "UTF-16, as its first two bytes say" if marked else "UTF-8"
        raise TextError(f"must be text in {code}, but is not: {error}; save it as UTF-8") from error


def listed(names: Sequence[str], /) -> str:
    """Names in a message, as many and as much of each as a person reads."""
    shown = [name if len(name) <= 40 else f"{name[:37]}..." for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def whole_letters(text: str, /, *, name: str) -> str:
    """A text that can be written, which one with half of a letter cannot.

    Args:
        text: As a shell, JSON or Python gave it.
        name: What it is, for the message.

    Raises:
        TextError: It holds half of a UTF-16 pair, or, from a command line, a byte that is not UTF-8.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise TextError(
            f"{name} must be text, but {reprlib.repr(text)} holds half of a UTF-16 pair or a byte that is not UTF-8; "
            "write the whole letter, in UTF-8"
        )
    return text


@contextmanager
def opened_text(path: Path, /, *, max_bytes: int = MAX_BYTES) -> Iterator[TextIO]:
    """The same text of a file to be read line by line, whatever system wrote it; line ends stay as they are.

    Raises:
        TextError: Too long, or no file at all; the message names it. What is no text raises `UnicodeDecodeError` where
            it is met.
        OSError: It cannot be opened.
    """
    _check_size(path, max_bytes)
    with path.open("rb") as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    with path.open(encoding="utf-16" if marked else "utf-8-sig", newline="") as text:
        yield text


def read_text(path: Path, /, *, max_bytes: int = MAX_BYTES) -> str:
    """Text of a whole file.

    Args:
        path: File.
        max_bytes: The most that such a file holds; more is refused unread.

    Raises:
        TextError: It is no text, too long, or no file at all; the message names it.
        OSError: It cannot be opened.
    """
    _check_size(path, max_bytes)
    try:
        return decoded(path.read_bytes())
    except TextError as error:
        raise TextError(f"{path} {error}") from error


def _check_size(path: Path, max_bytes: int) -> None:
    check_regular(path)
    if (size := path.stat().st_size) > max_bytes:
        raise TextError(f"{path} must hold at most {max_bytes:,} bytes, but holds {size:,}")
