"""Parts of the dead are swept, those of the living are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.files.durable.parts import LeftoverWarning, sweep
from search_spaces.files.durable.places import sweep_beside
from tests.search_spaces.files.durable.listing import names

LEAVES_PARTS = """
import os, signal, sys
from pathlib import Path
from search_spaces.files.durable.writing import whole, whole_once
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
    host = os.uname().nodename.partition(".")[0]
    (tmp_path / "a" / f"file.{host}-{os.getpid()}.part").write_text("left by a process of this number elsewhere")
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_PARTS, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        with pytest.warns(LeftoverWarning, match=rf"a/file\.{host}-{os.getpid()}\.part$"):
            sweep(tmp_path)
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
