"""Paths as people write them: text or path objects, `~` for a home; and names of files that are made from data."""

import os
import re
from os import PathLike
from pathlib import Path
from typing import Final

from search_spaces.files.user_error import UserError

MAX_NAME_BYTES: Final = 200  # file systems take 255, and a part of it has a longer name
_STRANGE: Final = re.compile(r"[^\w@.+=,-]")


class PathError(UserError):
    """Something that names no place."""


def local_path(given: str | PathLike[str], /) -> Path:
    """The path that somebody wrote, `~` and `~NAME` expanded; nothing is looked up or made.

    Raises:
        PathError: It is neither text nor a path object; nobody has that name, or no file can have it; or it is empty,
            which pathlib takes for the working folder.
    """
    if not isinstance(given, (str, PathLike)):
        raise PathError(f"a path must be text or a path object, but got {given!r}")
    if not os.fspath(given):
        raise PathError("a path must not be empty; for the working folder say `.`")
    path = Path(given)
    if "\0" in str(path):
        raise PathError(f"a path must not hold NUL, but got {str(path)[:MAX_NAME_BYTES]!r}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise PathError(f"{str(path)[:MAX_NAME_BYTES]!r} holds half of a surrogate pair, which names no file") from None
    try:
        return path.expanduser()
    except RuntimeError as error:  # what pathlib raises for a home that it cannot find
        raise PathError(f"{path.parts[0]} must be somebody's home, but there is none ({error}); write it out") from None


def is_there(path: Path, /) -> bool:
    """Whether a file or folder is there; none is where no file system takes the name."""
    try:
        return path.exists()
    except OSError:
        return False


def no_such_file(path: Path, /, *, what: str, remedy: str) -> str:
    """What a reader says of a path that is no file: a folder or a device that stands there is not a missing file.

    Args:
        path: Where a file is wanted.
        what: What it would be, such as "config".
        remedy: What helps where nothing is there.
    """
    if path.is_dir():
        return f"{path} is a folder; give the file in it that is meant"
    if is_there(path):
        return f"{path} must be a file, but is a device, a pipe or a socket; save what it gives as a file"
    return f"there is no {what} {path}; {remedy}"


def file_name(text: str, /) -> str:
    """The name of one file or folder for a text from data, which never leads elsewhere.

    Letters, digits and `_ @ . + = , -` stay; whatever else, path separators first of all, becomes `_`. No name begins
    with a dot or a dash, is empty, or is longer than file systems take.
    """
    name = _STRANGE.sub("_", text).lstrip(".-")
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore") or "unnamed"
