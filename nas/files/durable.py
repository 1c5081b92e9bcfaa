"""Durable files: each stands whole or not at all, whatever is killed and however full the disk.

What is to stand at a path is written to a part beside it, brought to the disk, and renamed; a failure removes the part.
A part is named after its host and process, so that what a killed process left can be told from what a living one is
writing. Whatever the disk refuses is one error, `StorageError`.
"""

import errno
import fcntl
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Final

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
_PART: Final = re.compile(r".+\.(?P<host>[^.]*)-(?P<pid>\d+)\.part")
_HOST: Final = os.uname().nodename.partition(".")[0]


class StorageError(OSError):
    """A file that the disk refused to take; what stood before stands still."""


class LeftoverWarning(UserWarning):
    """Half-written files of killed processes were removed."""


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
def whole(path: Path, /) -> Iterator[Path]:
    """A part to write a file or a folder to, which replaces `path` when the block ends.

    Args:
        path: Where it shall stand; its folder is made.

    Raises:
        StorageError: The disk refuses; `path` is as it was.
    """
    with _part_of(path) as part:
        yield part
        _sync_tree(part)
        os.replace(part, path)
        _sync(path.parent)


@contextmanager
def whole_once(path: Path, /) -> Iterator[Path]:
    """A part to write a file to, which becomes `path` when the block ends unless something stands there by then.

    Of several processes that write the same path at once, on one or many machines, exactly one wins; read `path`
    afterwards to see what it wrote.

    Raises:
        StorageError: The disk refuses; nothing was changed.
    """
    with _part_of(path) as part:
        yield part
        _sync(part)
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _rename_if_free(part, path)
        _sync(path.parent)


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
    with (path.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            os.replace(part, path)


def _sync_tree(path: Path) -> None:
    if path.is_dir():
        for child in path.iterdir():
            _sync_tree(child)
    _sync(path)


def _sync(path: Path) -> None:
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
    """Whether a name is that of a half-written file."""
    return _PART.fullmatch(path.name) is not None


def sweep(folder: Path, /) -> None:
    """Remove the parts that killed processes of this machine left anywhere below a folder.

    Warns:
        LeftoverWarning: There were some; the warning names them.
    """
    _sweep(folder.rglob("*.part"), folder)


def sweep_beside(path: Path, /) -> None:
    """Remove the parts of one file or folder that killed processes of this machine left beside it.

    Warns:
        LeftoverWarning: There were some; the warning names them.
    """
    _sweep(path.parent.glob(f"{escape(path.name)}.*.part"), path.parent)


def _sweep(parts: Iterable[Path], folder: Path) -> None:
    swept = []
    for part in sorted(parts):
        found = _PART.fullmatch(part.name)
        if found and found["host"] == _HOST and not _is_alive(int(found["pid"])):
            _remove(part)
            swept.append(str(part.relative_to(folder)))
    if swept:
        warnings.warn(
            f"{folder}: removed what killed processes left half-written: {', '.join(swept)}",
            LeftoverWarning,
            stacklevel=3,
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        pass
    return True
