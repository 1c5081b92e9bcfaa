"""Durable files: each stands whole or not at all, whatever is killed and however full the disk.

What is to stand at a path is written to a part beside it, brought to the disk, and renamed; a failure removes the part.
A folder that is replaced is first renamed aside, and deleted when the new one stands. What a killed process left is
told from what a living one is writing (`search_spaces.files.durable.parts`): parts of the dead are removed, and a
folder that one of them had set aside is put back. Whatever the disk refuses is one error, `StorageError`.
"""

import errno
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from search_spaces.files.durable.disk import open_to_others, remove, storage_errors, sync, sync_tree
from search_spaces.files.durable.parts import LeftoverWarning, aside, part_of
from search_spaces.files.durable.places import PlaceError, check_folder, check_replaceable, settled

_NO_HARD_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_TAKEN: Final = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR}


@contextmanager
def whole(path: Path, /, *, check: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A part to write a file or a folder to, which replaces `path` when the block ends.

    A file replaces a file. A folder replaces nothing or an empty folder, and a folder with something in it only where
    the caller says of it, when the new one is complete, that it may go. Whatever is raised or killed when, at `path`
    or beside it stands the old one or the new one, whole; `sweep_beside` puts it back where it was.

    Args:
        path: Where it shall stand; its folder is made. A link to a file is replaced itself, not what it leads to.
        check: Gets a folder that stands in the place of a new one, and raises if it must stay. It is called at the
            very end; what should be known before hours of work is asked before them as well.

    Raises:
        PlaceError: Something stands there that must not be replaced, such as a device, or a folder where a file is
            to stand. Whatever `check` raises is passed on. In either case `path` is as it was.
        StorageError: The disk refuses; `path` is as it was.
    """
    place = settled(path)
    with part_of(place) as part:
        yield part
        open_to_others(part)
        sync_tree(part)
        check_replaceable(place)
        if part.is_dir():
            check_folder(place, check=check)
            _replace_folder(part, place)
        elif place.is_dir():
            raise PlaceError(f"a file is to stand at {place}, but a folder stands there; give another place")
        else:
            _rename(part, place)
        sync(place.parent)


def _replace_folder(part: Path, place: Path) -> None:
    """Rename the old folder aside and the new one in; then delete the old one."""
    if place.is_dir() and any(place.iterdir()):
        old = aside(part, place)
        os.replace(place, old)
        _rename(part, place)  # what is set aside is put back where this fails
        sync(place.parent)
        remove(old)
        if old.exists():
            warnings.warn(f"{place} was replaced, but not all of the old one can be removed: {old}", LeftoverWarning, 4)
    else:
        _rename(part, place)


def _rename(part: Path, place: Path) -> None:
    try:
        os.replace(part, place)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise PlaceError(f"{place} was written to meanwhile, and was left alone; give another place") from error


@contextmanager
def whole_with_others(path: Path, /) -> Iterator[Path]:
    """A part to write a file to, and beside it whatever belongs to it; `path` appears last, when the others stand.

    Raises:
        StorageError: The disk refuses; there is no half of anything.
    """
    place = settled(path)
    with part_of(place) as part:
        yield part
        folder = part.parent
        open_to_others(folder)
        sync_tree(folder)
        others = sorted(file for file in folder.iterdir() if file.name != place.name)
        for file in (*others, part):
            _put(file, place.with_name(file.name))
        sync(place.parent)


def put_copy(source: Path, path: Path, /) -> None:
    """Let a file or a folder stand at a second path too, in place of what stands there: linked where the disk can.

    Raises:
        StorageError: The disk refuses; `path` is as it was.
    """
    place = settled(path)
    with part_of(place) as part:
        if source.is_dir():
            shutil.copytree(source, part, copy_function=_link_or_copy)
        else:
            _link_or_copy(source, part)
        sync_tree(part)
        _put(part, place)
        sync(place.parent)


def _link_or_copy(source: Path | str, target: Path | str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


def _put(part: Path, place: Path) -> None:
    if part.is_dir():
        _replace_folder(part, place)
    else:
        os.replace(part, place)


@contextmanager
def whole_once(path: Path, /) -> Iterator[Path]:
    """A part to write a file to, which becomes `path` when the block ends unless something stands there by then.

    Of several processes that write the same path at once, on one or many machines, exactly one wins; read `path`
    afterwards to see what it wrote.

    Raises:
        StorageError: The disk refuses; nothing was changed.
    """
    place = settled(path)
    with part_of(place) as part:
        yield part
        sync(part)
        try:
            os.link(part, place)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _rename_if_free(part, place)
        sync(place.parent)


def _rename_if_free(part: Path, path: Path) -> None:
    """What a hard link does, where the file system has none (FAT, some network mounts)."""
    import fcntl  # not everywhere; nor is it needed everywhere

    with (path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            os.replace(part, path)


def write_text(path: Path, text: str, /) -> None:
    """Write a whole file or none.

    Raises:
        StorageError: The disk refuses; `path` is as it was.
    """
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def append(descriptor: int, line: bytes, /, *, path: Path, synced: bool = True) -> None:
    """Append to a file that is open for appending, and bring it to the disk; a failure takes back what was written.

    Args:
        descriptor: The open file.
        line: What to append.
        path: Its path, for the error's message.
        synced: Whether to bring it to the disk now; else the system does so in its own time.

    Raises:
        StorageError: The disk refuses.
    """
    end = os.fstat(descriptor).st_size
    with storage_errors(path):
        try:
            while line:
                line = line[os.write(descriptor, line) :]
            if synced:
                os.fsync(descriptor)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(descriptor, end)
            raise


def set_aside(path: Path, /) -> Path:
    """Move a damaged file or folder out of the way, in place of what was set aside there before.

    Returns:
        Where it is now: `<name>.damaged`.
    """
    aside = path.with_name(path.name + ".damaged")
    with storage_errors(aside), suppress(FileNotFoundError):  # another process was quicker
        if aside.is_dir():
            shutil.rmtree(aside)
        os.replace(path, aside)
    return aside
