"""Logs of JSON lines: whole lines count, torn ends are dropped by the next who appends, and a refusal adds nothing."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from search_spaces.files.durable.disk import StorageError
from search_spaces.files.json_lines import append_lines, has_lines, held, num_torn_bytes, read_lines, sound_lines
from search_spaces.files.strict_json import JsonError

LINES: list[Any] = [{"number": 1}, {"text": "é\u2028\n"}, {"nested": {"a": [1, None]}}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_what_was_added_by_several_is_read_in_order(path: Path) -> None:
    assert (read_lines(path), has_lines(path), num_torn_bytes(path)) == ([], False, 0)
    append_lines(path, ())
    assert (read_lines(path), has_lines(path)) == ([], False)
    append_lines(path, LINES[:1])
    append_lines(path, LINES[1:])
    assert (read_lines(path), has_lines(path)) == (LINES, True)


def test_cut_anywhere_it_holds_the_lines_that_were_whole_and_goes_on_after_them(path: Path) -> None:
    append_lines(path, LINES)
    content = path.read_bytes()
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        num_whole = content[:cut].count(b"\n")
        assert read_lines(path) == LINES[:num_whole]
        assert path.read_bytes() == content[:cut], "reading changes nothing"
        append_lines(path, LINES[num_whole:])
        assert path.read_bytes() == content


def test_a_whole_line_that_is_not_json_is_named(path: Path) -> None:
    path.write_bytes(b'{"a": 1}\n{"a": 1, "a": 2}\n')
    with pytest.raises(JsonError, match=r"line 2 of .*log\.jsonl must hold every key once"):
        read_lines(path)


def test_a_disk_that_refuses_adds_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append_lines(path, LINES[:1])
    content = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"cannot write .*log\.jsonl: the disk is full"):
            append_lines(path, LINES[1:])
    assert path.read_bytes() == content


HOLDING = """
import sys
from pathlib import Path
from search_spaces.files.json_lines import append_lines, held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
    append_lines(Path(sys.argv[1]), [{"of": "the first"}])
"""


def test_who_wants_a_log_that_is_held_waits(path: Path) -> None:
    def want() -> None:
        with held(path):
            append_lines(path, [{"of": "the second"}])

    command, pipe = [sys.executable, "-c", HOLDING, str(path)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        second = threading.Thread(target=want)
        second.start()
        second.join(0.3)
        assert read_lines(path) == []
        first.stdin.close()
        second.join()
    assert [line["of"] for line in read_lines(path)] == ["the first", "the second"]


def test_a_long_torn_line_is_measured_from_the_end(path: Path) -> None:
    append_lines(path, LINES)
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    assert num_torn_bytes(path) == 200_000
    append_lines(path, LINES[:1], synced=False)
    assert read_lines(path) == [*LINES, LINES[0]]


def test_what_nothing_depends_on_is_read_as_far_as_it_is_sound(path: Path) -> None:
    assert sound_lines(path) == ([], [])
    append_lines(path, LINES)
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"{rotten\n" + b"".join(others) + b"{torn")
    assert sound_lines(path) == (LINES, [2])
