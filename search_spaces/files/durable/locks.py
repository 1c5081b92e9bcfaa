"""Locks on files and folders themselves: no lock file that could be deleted, and none that outlives its process."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_INSTANT_S = 0.001  # far longer than `is_locked` takes


@dataclass(frozen=True, slots=True)
class Lock:
    """A file or folder that is locked until it is released or the process ends, however it ends.

    Attributes:
        path: Where it stood when it was locked.
        descriptor: The system's, of what is locked.
    """

    path: Path
    descriptor: int

    def stands(self) -> bool:
        """Whether what is locked still stands where it was: it was neither moved, nor removed, nor replaced."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let others have it."""
        os.close(self.descriptor)


def locked(path: Path, /, *, make: bool = False, wait: bool = False) -> Lock | None:
    """Lock what stands at a path.

    Args:
        path: A file or a folder.
        make: Whether to make an empty file where nothing stands.
        wait: Whether to wait for who holds the lock.

    Returns:
        The lock; None where somebody else holds it.

    Raises:
        OSError: Nothing stands there, it cannot be opened, or the file system has no locks.
    """
    if sys.platform == "win32":
        raise OSError(f"there are no locks on {path} on this system")
    flags = os.O_RDWR | os.O_CREAT if make else os.O_RDONLY | os.O_NONBLOCK
    while True:
        lock = Lock(path, os.open(path, flags, 0o666))
        try:
            fcntl.flock(lock.descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_asked_only = _shared(lock.descriptor)
            lock.release()
            if not is_asked_only:
                return None
            time.sleep(_INSTANT_S)
            continue
        except BaseException:
            lock.release()
            raise
        if lock.stands():
            return lock
        lock.release()  # who held it before has put another in its place


def _shared(descriptor: int) -> bool:
    """Whether a lock can be shared: those who have it only ask, and are gone in an instant."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path, /) -> bool:
    """Whether a living process holds a lock on what stands at a path; False where there are no locks, or nothing.

    It is asked by sharing the lock for an instant, which disturbs nobody else who asks, nor who locks it (`locked`).
    """
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False
