"""What a disk refuses, as one error in one voice; bringing files to it, and removing them."""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    errno.ENAMETOOLONG: ("its name is too long", "give a shorter one"),
}
_OWNER_ALONE: Final = 0o600  # safetensors 0.8 writes so
_DISGUISED: Final = re.compile(r"(?:os error|Errno) (\d+)")  # how Rust and Arrow spell an error of the system


class StorageError(OSError):
    """A file that the disk refused to take; what stood before stands still."""


@contextmanager
def storage_errors(path: Path, /) -> Iterator[None]:
    """Turn a disk's refusal, in whatever library's words, into a `StorageError` that names `path`."""
    try:
        yield
    except (StorageError, UserError):
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


def open_to_others(part: Path, /) -> None:
    """Give new files that a library made for their owner alone the rights of any new file (the umask's).

    Args:
        part: A file, or a folder with files; files that stand elsewhere too are left as they are.
    """
    inside = [part] if part.is_file() else [path for path in part.rglob("*") if path.is_file()]
    if closed := [path for path in inside if _is_for_its_owner(path.lstat())]:
        probe = closed[0].with_name(".rights")  # the umask cannot be read without changing it for a moment
        probe.touch()
        rights = stat.S_IMODE(probe.stat().st_mode)
        probe.unlink()
        for path in closed:
            path.chmod(rights)


def _is_for_its_owner(told: os.stat_result) -> bool:
    return told.st_nlink == 1 and stat.S_ISREG(told.st_mode) and stat.S_IMODE(told.st_mode) == _OWNER_ALONE


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


def remove(path: Path, /) -> None:
    """Remove a file or a folder if it is there; a disk that refuses even that leaves a part, which harms nobody."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
