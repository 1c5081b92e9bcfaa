"""Paths as people write them: text or path objects, `~` for a home."""

from os import PathLike
from pathlib import Path

from search_spaces.files.user_error import UserError


class PathError(UserError):
    """Something that names no place."""


def local_path(given: str | PathLike[str], /) -> Path:
    """The path that somebody wrote, `~` and `~NAME` expanded; nothing is looked up or made.

    Raises:
        PathError: Nobody has that name.
    """
    path = Path(given)
    try:
        return path.expanduser()
    except RuntimeError as error:  # what pathlib raises for a home that it cannot find
        raise PathError(f"{path.parts[0]} must be somebody's home, but there is none ({error}); write it out") from None
