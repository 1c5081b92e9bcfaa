"""Durable files: each stands whole or not at all, whatever is killed and however full the disk.

What is to stand at a path is written to a part beside it, brought to the disk, and renamed; a failure removes the part.
A folder that is replaced is first renamed aside, and deleted when the new one stands. Parts and what was set aside are
named after their host and process, so that what a killed process left can be told from what a living one is writing:
parts of the dead are removed, and a folder that one of them had set aside is put back. Whatever the disk refuses is one
error, `StorageError`.
"""

import errno
import os
import platform
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Final

from search_spaces.files.user_error import UserError

# What a disk may refuse, and what helps.
_REFUSALS: Final = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the quota of disk space is used up", "free some space"),
    errno.EFBIG: ("the file would exceed the largest size allowed", "raise the limit (`ulimit -f`)"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("permission is denied", "allow to write there"),
    errno.EPERM: ("it is not permitted", "allow to write there"),
    errno.EIO: ("the disk failed (input/output error)", "check the disk"),
}
_DISGUISED: Final = re.compile(r"(?:os error|Errno) (\d+)")  # how Rust and Arrow spell an error of the system
_NO_HARD_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_PART: Final = re.compile(r"(?P<name>.+)\.(?P<host>[^.]*)-(?P<pid>\d+)\.(?P<kind>part|old)")
_HOST: Final = platform.node().partition(".")[0]


class StorageError(OSError):
    """A file that the disk refused to take; what stood before stands still."""


class PlaceError(UserError):
    """A place where something stands that must not be replaced; it was not touched."""


class LeftoverWarning(UserWarning):
    """What killed processes left half-written was removed, or what they had set aside was put back."""


@contextmanager
def storage_errors(path: Path, /) -> Iterator[None]:
    """Turn a disk's refusal, in whatever library's words, into a `StorageError` that names `path`."""
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        refusal = _REFUSALS.get(_errno(error))
        if refusal is None:
            raise
        law, remedy = refusal
        raise StorageError(f"cannot write {path}: {law}; {remedy} and run the same command, which continues") from error


def _errno(error: Exception) -> int:
    """The system's number of an error; 0 when it has none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _DISGUISED.search(str(error))
    return int(found[1]) if found else 0


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
    with _part_of(place) as part:
        yield part
        sync_tree(part)
        _check_replaceable(place)
        if part.is_dir():
            _check_folder(place, check)
            _replace_folder(part, place)
        elif place.is_dir():
            raise PlaceError(f"a file is to stand at {place}, but a folder stands there; give another place")
        else:
            os.replace(part, place)
        sync(place.parent)


def settled(path: Path, /) -> Path:
    """The place that a path means, whatever happens to links and to the working folder later.

    Raises:
        PlaceError: What stands there can be replaced by nobody: a device, a pipe, a link that leads to no file, the
            root, or a folder that somebody works in.
    """
    place = path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name
    _check_replaceable(place)
    return place


def _check_replaceable(place: Path) -> None:
    if place.is_symlink() and not place.is_file():
        raise PlaceError(f"{place} is a link to {os.readlink(place)}, where no file is; give the place itself")
    if place.exists() and not (place.is_file() or place.is_dir()):
        raise PlaceError(f"{place} must be a file, a folder or nothing yet, but is a device, a pipe or a socket")
    if place.is_dir() and Path.cwd().is_relative_to(place):
        raise PlaceError(f"{place} must not be the working folder or hold it; give a place of its own")


def _check_folder(place: Path, check: Callable[[Path], None] | None) -> None:
    if place.is_file():
        raise PlaceError(f"a folder is to stand at {place}, but a file stands there; give another place")
    if place.is_dir() and any(place.iterdir()):
        if check is None:
            raise PlaceError(f"{place} must not exist yet or be empty, but something stands in it; give another place")
        check(place)


def _replace_folder(part: Path, place: Path) -> None:
    """Rename the old folder aside and the new one in; then delete the old one."""
    if not place.is_dir():
        os.replace(part, place)
        return
    aside = part.with_suffix(".old")
    _remove(aside)
    os.replace(place, aside)
    try:
        os.replace(part, place)
    except BaseException:
        os.replace(aside, place)
        raise
    sync(place.parent)
    _remove(aside)
    if aside.exists():
        warnings.warn(f"{place} was replaced, but not all of the old one can be removed: {aside}", LeftoverWarning, 4)


@contextmanager
def whole_with_others(path: Path, /) -> Iterator[Path]:
    """A part to write a file to, and beside it whatever belongs to it; `path` appears last, when the others stand.

    Raises:
        StorageError: The disk refuses; there is no half of anything.
    """
    place = settled(path)
    with _part_of(place) as part:
        part.mkdir()
        yield part / place.name
        sync_tree(part)
        others = sorted(file for file in part.iterdir() if file.name != place.name)
        for file in (*others, part / place.name):
            _put(file, place.with_name(file.name))
        sync(place.parent)


def put_copy(source: Path, path: Path, /) -> None:
    """Let a file or a folder stand at a second path too, in place of what stands there: linked where the disk can.

    Raises:
        StorageError: The disk refuses; `path` is as it was.
    """
    place = settled(path)
    with _part_of(place) as part:
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
    with _part_of(place) as part:
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


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    part = path.with_name(f"{path.name}.{_HOST}-{os.getpid()}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        try:
            yield part
        finally:
            _remove(part)


def _rename_if_free(part: Path, path: Path) -> None:
    """What a hard link does, where the file system has none (FAT, some network mounts)."""
    import fcntl  # not everywhere; nor is it needed everywhere

    with (path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            os.replace(part, path)


def sync_tree(path: Path, /) -> None:
    """Bring a file, or a folder with all that is in it, to the disk."""
    if path.is_dir():
        for child in path.iterdir():
            sync_tree(child)
    sync(path)


def sync(path: Path, /) -> None:
    """Bring a file's content, or a folder's names, to the disk."""
    if os.name == "nt":  # which opens no folders, and syncs no file that was opened for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a file or a folder if it is there; a disk that refuses even that leaves a part, which harms nobody."""
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str, /) -> None:
    """Write a whole file or none.

    Raises:
        StorageError: The disk refuses; `path` is as it was.
    """
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def check_writable(path: Path, /) -> None:
    """Check that a file can be made at a path, before hours of work that are to end in it.

    Raises:
        PlaceError: What stands there cannot be replaced by a file.
        StorageError: The disk refuses.
    """
    place = settled(path)
    if place.is_dir():
        raise PlaceError(f"a file is to stand at {place}, but a folder stands there; give another place")
    with _part_of(place) as part:
        part.touch()


def append(descriptor: int, line: bytes, /, *, path: Path) -> None:
    """Append to a file that is open for appending, and bring it to the disk; a failure takes back what was written.

    Args:
        descriptor: The open file.
        line: What to append.
        path: Its path, for the error's message.

    Raises:
        StorageError: The disk refuses.
    """
    end = os.fstat(descriptor).st_size
    with storage_errors(path):
        try:
            while line:
                line = line[os.write(descriptor, line) :]
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


def is_part(path: Path, /) -> bool:
    """Whether a name is that of a half-written file, or of a folder that is being replaced."""
    return _PART.fullmatch(path.name) is not None


def sweep(folder: Path, /) -> None:
    """Tidy up what killed processes of this machine left anywhere below a folder.

    Parts are removed; a folder that was set aside, to be replaced, is put back unless its successor stands.

    Warns:
        LeftoverWarning: There was something; the warning names it.
    """
    _sweep(folder.rglob("*-*.*"), folder)


def sweep_beside(path: Path, /) -> None:
    """As `sweep`, of one file or folder.

    Warns:
        LeftoverWarning: There was something; the warning names it.
    """
    place = settled(path)
    _sweep(place.parent.glob(f"{escape(place.name)}.*-*.*"), place.parent)


def _sweep(leftovers: Iterable[Path], folder: Path) -> None:
    swept, restored = [], []
    for left in sorted(leftovers):
        found = _PART.fullmatch(left.name)
        if not found or found["host"] != _HOST or _is_alive(int(found["pid"])):
            continue
        place = left.with_name(found["name"])
        if found["kind"] == "old" and not place.exists():
            with storage_errors(place):
                os.replace(left, place)
            restored.append(str(place.relative_to(folder)))
        else:
            _remove(left)
            swept.append(str(left.relative_to(folder)))
    if swept:
        _warn(f"{folder}: removed what killed processes left half-written: {', '.join(swept)}")
    if restored:
        _warn(f"{folder}: put back what a killed process was about to replace: {', '.join(restored)}")


def _warn(message: str) -> None:
    warnings.warn(message, LeftoverWarning, stacklevel=4)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        pass
    return True
