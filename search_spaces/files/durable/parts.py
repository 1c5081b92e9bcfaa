"""Parts: what is being written, each in a folder of its own beside its place, which its writer keeps locked.

`NAME.HOST-TOKEN.part/NAME` becomes `NAME` by a rename. An old folder that it replaces is set aside within the part, in
`.old`, and goes with it. The lock on the part tells what a killed process left from what a living one is writing: it
ends with its process, and unlike a process's number it means the same in every container of a machine. Only parts of
this host are judged; another machine's locks need not be seen here.
"""

import os
import platform
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from search_spaces.files.durable.disk import remove, storage_errors
from search_spaces.files.durable.locks import Lock, locked

_PART: Final = re.compile(r"(?P<name>.+)\.(?P<host>[^.]*)-(?P<token>[a-z0-9_]+)\.part")
_HOST: Final = platform.node().partition(".")[0]
_OLD: Final = ".old"


class LeftoverWarning(UserWarning):
    """What killed processes left half-written was removed, or what they had set aside was put back."""


@contextmanager
def part_of(place: Path, /) -> Iterator[Path]:
    """A path to write to in a part of its own, whose folder is on the same disk as a place; it goes with the block.

    Raises:
        StorageError: The disk refuses.
    """
    with storage_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        folder, lock = _made(place)
        try:
            yield folder / place.name
        finally:
            _tidied(folder)
            if lock is not None:
                lock.release()


def _made(place: Path) -> tuple[Path, Lock | None]:
    """A new part, locked where the file system has locks."""
    while True:
        folder = Path(mkdtemp(prefix=f"{place.name}.{_HOST}-", suffix=".part", dir=place.parent))
        try:
            return folder, locked(folder, wait=True)
        except FileNotFoundError:  # swept by somebody between its making and its lock
            continue
        except OSError:
            return folder, None


def aside(part: Path, place: Path, /) -> Path:
    """Where a part keeps what stands at a place until its successor does."""
    old = part.parent / _OLD / place.name
    old.parent.mkdir(exist_ok=True)
    return old


def _tidied(folder: Path) -> list[Path]:
    """Remove a part; what it had set aside is put back unless its successor stands.

    Returns:
        The places that something was put back to.
    """
    restored: list[Path] = []
    for old in sorted((folder / _OLD).iterdir()) if (folder / _OLD).is_dir() else ():
        place = folder.with_name(old.name)
        if not (folder / old.name).exists():
            continue  # the new one was renamed to its place
        if place.exists():
            _warn(f"{place} was written by somebody else meanwhile; what stood there before is now {old}")
            return restored
        with storage_errors(place):
            os.replace(old, place)
        restored.append(place)
    remove(folder)
    return restored


def is_part(path: Path, /) -> bool:
    """Whether a name is that of something half-written."""
    return _PART.fullmatch(path.name) is not None


def sweep(folder: Path, /) -> None:
    """Tidy up what killed processes of this machine left anywhere below a folder.

    Parts are removed; a folder that was set aside, to be replaced, is put back unless its successor stands.

    Warns:
        LeftoverWarning: There was something; the warning names it.
    """
    _sweep(folder.rglob("*-*.part"), folder)


def sweep_beside(place: Path, /) -> None:
    """As `sweep`, of one file or folder.

    Warns:
        LeftoverWarning: There was something; the warning names it.
    """
    _sweep(place.parent.glob(f"{escape(place.name)}.*-*.part"), place.parent)


def _sweep(leftovers: Iterable[Path], folder: Path) -> None:
    swept, restored = [], []
    for left in sorted(leftovers):
        found = _PART.fullmatch(left.name)
        if not found or found["host"] != _HOST:
            continue
        lock = None
        with suppress(OSError):  # gone meanwhile, or no locks there: then nobody can tell who is dead
            lock = locked(left)
        if lock is None:
            continue
        try:
            restored += [str(place.relative_to(folder)) for place in _tidied(left)]
            if not left.exists():
                swept.append(str(left.relative_to(folder)))
        finally:
            lock.release()
    if swept:
        _warn(f"{folder}: removed what killed processes left half-written: {', '.join(swept)}")
    if restored:
        _warn(f"{folder}: put back what a killed process was about to replace: {', '.join(restored)}")


def _warn(message: str) -> None:
    warnings.warn(message, LeftoverWarning, stacklevel=4)
