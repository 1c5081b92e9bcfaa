"""Where something is to stand: what a path means, and whether what stands there may be replaced or worked in."""

import os
from collections.abc import Callable
from pathlib import Path

from search_spaces.files.durable import parts
from search_spaces.files.durable.parts import is_part, part_of
from search_spaces.files.user_error import UserError


class PlaceError(UserError):
    """A place where something stands that must not be replaced; it was not touched."""


def settled(path: Path, /) -> Path:
    """The place that a path means, whatever happens to links and to the working folder later.

    Raises:
        PlaceError: What stands there can be replaced by nobody: a device, a pipe, a link that leads to no file, the
            root, or a folder that somebody works in.
    """
    place = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    check_replaceable(place)
    return place


def settled_file(path: Path, /) -> Path:
    """As `settled`, for a file; to be asked before hours of work whose result is written there.

    Raises:
        PlaceError: What stands there cannot be replaced by a file.
    """
    place = settled(path)
    if place.is_dir():
        raise PlaceError(f"a file is to stand at {place}, but a folder stands there; give another place")
    return place


def check_replaceable(place: Path, /) -> None:
    """Check that something may be written at a settled place.

    Raises:
        PlaceError: As `settled`.
    """
    above = next((folder for folder in place.parents if folder.exists() or folder.is_symlink()), place)
    if not above.is_dir():
        raise PlaceError(f"{place} must lie in a folder, but {above} is none; give another place")
    if place.is_symlink() and not place.is_file():
        raise PlaceError(f"{place} is a link to {os.readlink(place)}, where no file is; give the place itself")
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise PlaceError(f"{place} must be a file, a folder or nothing yet, but is a device, a pipe or a socket")
    if place.is_dir() and Path.cwd().is_relative_to(place):
        raise PlaceError(f"{place} must not be the working folder or hold it; give a place of its own")


def check_folder(place: Path, /, *, check: Callable[[Path], None] | None) -> None:
    """Check that a folder may be written at a place.

    Args:
        place: Where.
        check: Gets a folder that stands there with something in it, and raises if it must stay; None = it must.

    Raises:
        PlaceError: Something stands there that must stay. Whatever `check` raises is passed on.
    """
    if place.is_file():
        raise PlaceError(f"a folder is to stand at {place}, but a file stands there; give another place")
    if place.is_dir() and any(place.iterdir()):
        if check is None:
            raise PlaceError(f"{place} must not exist yet or be empty, but something stands in it; give another place")
        check(place)


def check_own(folder: Path, /, *, marks: tuple[str, ...], what: str) -> None:
    """Check that a folder may be worked in: nothing stands in it, or what an earlier call began there.

    Args:
        folder: Where files are to be made and replaced.
        marks: Names of which an earlier call left at least one, as patterns of `Path.glob`.
        what: It is the folder of, for the message.

    Raises:
        PlaceError: Other things stand in it, or it is none.
    """
    if folder.exists() and not folder.is_dir():
        raise PlaceError(f"{folder} must be a folder or nothing yet, but something else stands there; give another")
    if not folder.is_dir() or any(next(folder.glob(mark), None) is not None for mark in marks):
        return
    if other := sorted(path.name for path in folder.iterdir() if not is_part(path)):
        raise PlaceError(
            f"{folder} must be empty or the folder of {what}, but other things stand in it ({other[0]!r:.80}); give "
            "another --out"
        )


def check_writable(path: Path, /) -> None:
    """Check that a file can be made at a path, before hours of work that are to end in it; tidies up beside it.

    Raises:
        PlaceError: What stands there cannot be replaced by a file.
        StorageError: The disk refuses.

    Warns:
        LeftoverWarning: A killed process had left something beside it.
    """
    place = settled_file(path)
    parts.sweep_beside(place)
    with part_of(place) as part:
        part.touch()


def sweep_beside(path: Path, /) -> None:
    """As `sweep`, of one file or folder.

    Warns:
        LeftoverWarning: There was something; the warning names it.
    """
    parts.sweep_beside(settled(path))
