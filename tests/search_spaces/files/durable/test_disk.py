"""What a disk refuses, in one voice; removing, whatever it is."""

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from search_spaces.files.durable.disk import StorageError, remove, storage_errors
from tests.search_spaces.files.durable.listing import names


def test_files_folders_and_links_can_be_removed_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("somebody's")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    for name in ("folder", "file", "link", "nothing"):
        remove(tmp_path / name)
    assert names(tmp_path) == ["kept"]
    assert names(tmp_path / "kept") == ["file"]


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
