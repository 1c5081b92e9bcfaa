"""Durable files: whole or not at all, one winner of many, refusals in one voice, leftovers of the dead removed."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from safetensors import SafetensorError

from search_spaces.files.durable import (
    LeftoverWarning,
    StorageError,
    append,
    is_part,
    set_aside,
    storage_errors,
    sweep,
    sweep_beside,
    whole,
    whole_once,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "old")
    with whole(path) as part:
        part.write_text("new")
        assert is_part(part)
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(path.parent) == ["file"]


def test_a_folder_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    with whole(tmp_path / "folder") as part:
        (part / "inner").mkdir(parents=True)
        (part / "inner" / "file").write_text("text")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "inner" / "file").read_text() == "text"
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("writing", [whole, whole_once])
def test_a_failure_leaves_what_stood_before(
    tmp_path: Path, writing: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    def interrupted() -> None:
        with writing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_everything_is_on_the_disk_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".")[0])
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with whole(tmp_path / "folder") as part:
        part.mkdir()
        (part / "file").write_text("text")
    assert done == ["file", "folder", "rename", tmp_path.name]


@pytest.fixture(params=[None, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS], ids=["links", "EPERM", "ENOTSUP", "ENOSYS"])
def _links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and some without, as they say so."""

    def link(source: Path, target: Path) -> None:
        raise OSError(request.param, os.strerror(request.param))

    if request.param is not None:
        monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("_links")
def test_the_first_one_stays(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with whole_once(tmp_path / "file") as part:
            part.write_text(text)
    assert (tmp_path / "file").read_text() == "first"
    assert set(names(tmp_path)) <= {"file", ".lock"}


@pytest.mark.usefixtures("_links")
def test_of_two_that_overlap_the_first_to_end_stays(tmp_path: Path) -> None:
    with whole_once(tmp_path / "file") as slow:
        slow.write_text("slow")
        (tmp_path / "file").write_text("quick")
    assert (tmp_path / "file").read_text() == "quick"


@pytest.mark.parametrize(
    ("error", "law"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; free some space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the quota of disk space is used up"),
        (OSError(errno.EFBIG, "File too large"), r"the largest size allowed; raise the limit \(`ulimit -f`\)"),
        (OSError(errno.EROFS, "Read-only file system"), "the file system is read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), "permission is denied"),
        (OSError(errno.EIO, "Input/output error"), "the disk failed"),
        (SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk is full"),
        (RuntimeError("[Errno 28] Error writing bytes to file"), "the disk is full"),
    ],
    ids=str,
)
def test_a_refusal_speaks_in_one_voice_whoever_reports_it(error: Exception, law: str) -> None:
    message = rf"^cannot write here/file: .*{law}.* and run the same command, which continues$"
    with pytest.raises(StorageError, match=message), storage_errors(Path("here/file")):
        raise error


@pytest.mark.parametrize("error", [ValueError("28"), FileNotFoundError(errno.ENOENT, "none"), KeyError("os error x")])
def test_other_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, storage_errors(Path("file")):
        raise error
    assert raised.value is error


def test_a_refusal_within_a_refusal_names_the_first_place() -> None:
    outer, inner = storage_errors(Path("outer")), storage_errors(Path("inner"))
    with pytest.raises(StorageError, match="cannot write inner"), outer, inner:
        raise OSError(errno.ENOSPC, "full")


def test_a_failed_append_takes_back_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, write = tmp_path / "file", os.write
    with path.open("ab") as file:
        append(file.fileno(), b"one\n", path=path)
        with monkeypatch.context() as patch:
            room = [2]

            def short(descriptor: int, data: bytes) -> int:
                if not room:
                    raise OSError(errno.ENOSPC, "full")
                return write(descriptor, data[: room.pop()])

            patch.setattr(os, "write", short)
            with pytest.raises(StorageError, match="the disk is full"):
                append(file.fileno(), b"two\n", path=path)
        assert path.read_bytes() == b"one\n"
        append(file.fileno(), b"three\n", path=path)
    assert path.read_bytes() == b"one\nthree\n"


def test_what_is_set_aside_replaces_what_was_set_aside_before(tmp_path: Path) -> None:
    for text in ("one", "two"):
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text(text)
        assert set_aside(tmp_path / "folder") == tmp_path / "folder.damaged"
    assert names(tmp_path) == ["folder.damaged"]
    assert (tmp_path / "folder.damaged" / "file").read_text() == "two"


LEAVES_PARTS = """
import os, signal, sys
from pathlib import Path
from search_spaces.files.durable import whole, whole_once
with whole(Path(sys.argv[1]) / "a" / "file") as file, whole_once(Path(sys.argv[1]) / "b") as other:
    file.write_text("half"); other.write_text("half")
    with whole(Path(sys.argv[1]) / "folder") as folder:
        folder.mkdir(); (folder / "file").write_text("half")
        print("written", flush=True)
        sys.stdin.read()
"""


def test_parts_are_swept_when_who_wrote_them_is_dead_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "mine.part").write_text("a file of somebody who likes this name")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file.elsewhere-1.part").write_text("being written on another machine")
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_PARTS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        before = sorted(tmp_path.rglob("*"))
        sweep(tmp_path)
        assert sorted(tmp_path.rglob("*")) == before
        process.kill()
    with pytest.warns(LeftoverWarning, match=r"left half-written: folder\."):
        sweep_beside(tmp_path / "folder")
    assert any(name.startswith("b.") for name in names(tmp_path)), "only what stands beside is swept"
    with pytest.warns(LeftoverWarning, match="removed what killed processes left") as told:
        sweep(tmp_path)
    assert all(name in str(told[0].message) for name in ("a/file.", "b."))
    assert names(tmp_path) == ["a", "mine.part"]
    assert names(tmp_path / "a") == ["file.elsewhere-1.part"]
    sweep(tmp_path)
