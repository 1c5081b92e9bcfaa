"""Locks on files and folders: one holder, gone with its process, and known to be elsewhere when they were moved."""

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from search_spaces.files.durable.locks import is_locked, locked

HOLDS = """
import sys
from pathlib import Path
from search_spaces.files.durable.locks import locked
assert locked(Path(sys.argv[1])) is not None
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_lock_has_one_holder_and_goes_with_its_process(tmp_path: Path, what: str) -> None:
    place = tmp_path / what
    place.touch() if what == "file" else place.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert locked(place) is None
        process.kill()
    lock = locked(place)
    assert lock is not None
    assert locked(place) is None, "not even this process has it twice"
    lock.release()


def test_what_was_moved_removed_or_replaced_stands_no_more(tmp_path: Path) -> None:
    place = tmp_path / "file"
    lock = locked(place, make=True)
    assert lock is not None
    assert lock.stands()
    place.rename(tmp_path / "elsewhere")
    assert not lock.stands()
    place.write_text("another one")
    assert not lock.stands()
    second = locked(place)
    assert second is not None, "another file is another lock"
    second.release()
    lock.release()


def test_nothing_is_made_to_be_locked_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        locked(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_who_only_asks_keeps_nobody_from_locking(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    with place.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)  # what `is_locked` has for an instant
        threading.Timer(0.05, asking.close).start()
        lock = locked(place)
        assert lock is not None, "`nas status --watch` would make a search say that another one runs"
        assert is_locked(place)
        lock.release()
    assert not is_locked(place)
