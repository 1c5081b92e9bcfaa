"""Durable files: whole or not at all, one winner of many, refusals in one voice, leftovers of the dead removed."""

import errno
import os
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from search_spaces.files.durable.disk import StorageError
from search_spaces.files.durable.parts import LeftoverWarning, is_part
from search_spaces.files.durable.places import PlaceError, sweep_beside
from search_spaces.files.durable.writing import (
    append,
    put_copy,
    set_aside,
    whole,
    whole_once,
    whole_with_others,
    write_text,
)
from tests.search_spaces.files.durable.listing import names


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_text(path, "old")
    with whole(path) as part:
        part.write_text("new")
        assert is_part(part.parent)
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


def test_what_a_library_writes_for_its_owner_alone_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    """safetensors 0.8 does: nobody else could read exported weights, or what runs share."""
    path, folder, private = tmp_path / "a.safetensors", tmp_path / "folder", tmp_path / "private"
    private.touch(0o600)
    for umask, rights in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        before = os.umask(umask)
        with whole(path) as part:
            save_file({"a": torch.zeros(1)}, part)
        with whole(folder, check=lambda old: None) as part:
            (part / "inner").mkdir(parents=True)
            save_file({"a": torch.zeros(1)}, part / "inner" / "b.safetensors")
            os.link(private, part / "linked")
            (part / "led").symlink_to(private)
        with whole_with_others(tmp_path / "c") as part:
            save_file({"a": torch.zeros(1)}, part)
        os.umask(before)
        written = (path, folder / "inner" / "b.safetensors", tmp_path / "c")
        assert [stat.S_IMODE(each.stat().st_mode) for each in written] == [rights] * 3
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert names(tmp_path) == ["a.safetensors", "c", "folder", "private"]
    assert names(folder) == ["inner", "led", "linked"]


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


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was brought to the disk, renamed and linked, in order."""
    did: list[str] = []
    fsync, replace, link = os.fsync, os.replace, os.link

    def synced(descriptor: int) -> None:
        did.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.split(".")[0])
        fsync(descriptor)

    def replaced(source: Path, target: Path) -> None:
        did.append("rename")
        replace(source, target)

    def linked(source: Path, target: Path) -> None:
        did.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(os, "link", linked)
    return did


def test_everything_is_on_the_disk_before_it_is_renamed(tmp_path: Path, done: list[str]) -> None:
    with whole(tmp_path / "folder") as part:
        part.mkdir()
        (part / "file").write_text("text")
    assert done == ["file", "folder", "rename", tmp_path.name]
    done.clear()
    with whole_once(tmp_path / "once") as part:
        part.write_text("text")
    assert done == ["once", "link", tmp_path.name]
    done.clear()
    with (tmp_path / "log").open("ab") as log:
        append(log.fileno(), b"a line\n", path=tmp_path / "log", synced=False)
        assert done == []
        append(log.fileno(), b"a line\n", path=tmp_path / "log")
    assert done == ["log"]


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


REPLACES = """
import os, signal, sys
from pathlib import Path
from search_spaces.files.durable.writing import whole
place, how, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def step_by_step(event, arguments):
    global step
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir") or (event == "open" and place.name in str(arguments[0])):
        step -= 1
        if step == 0:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(28, "No space left on device")

sys.addaudithook(step_by_step)
with whole(place, check=lambda old: None) as part:
    part.mkdir()
    for name in ("a", "new"):
        (part / name).write_text("new")
print("steps left:", step)
"""  # noqa: E501
OLD, NEW = {"a": "old", "b": "old"}, {"a": "new", "new": "new"}


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("how", ["kill", "refuse"])
def test_stopped_at_any_step_the_old_or_the_new_folder_stands_whole(tmp_path: Path, how: str) -> None:
    outcomes = []
    for step in range(1, 40):
        place = tmp_path / f"step{step}" / "folder"
        place.mkdir(parents=True)
        for name, text in OLD.items():
            (place / name).write_text(text)
        command = [sys.executable, "-c", REPLACES, str(place), how, str(step)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if how == "refuse":
            assert texts(place) in (OLD, NEW), "it was put back at once"
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            sweep_beside(place)
        assert texts(place) in (OLD, NEW), step
        assert names(place.parent) == ["folder"], step
        outcomes.append(texts(place) == NEW)
        if done.stdout.startswith("steps left:") and int(done.stdout.split(":")[1]) > 0:
            break
    assert len(outcomes) > 10
    assert outcomes[-1], "nothing stopped the last one"
    assert not all(outcomes)
    if how == "kill":
        assert outcomes == sorted(outcomes), "first the old, then the new"


def test_a_folder_is_replaced_where_the_caller_lets_it_go_at_the_very_end(tmp_path: Path) -> None:
    def refuse(old: Path) -> None:
        raise ValueError(f"{old.name} is somebody's")

    place = tmp_path / "folder"
    for check, law in [(None, "must not exist yet or be empty"), (refuse, "folder is somebody's")]:
        with pytest.raises(ValueError, match=law), whole(place, check=check) as part:  # noqa: PT012
            part.mkdir()
            place.mkdir(exist_ok=True)  # by somebody else, meanwhile
            (place / "thesis").write_text("thesis")
        assert texts(place) == {"thesis": "thesis"}
        assert names(tmp_path) == ["folder"]
    with whole(place, check=lambda old: None) as part:
        part.mkdir()
    assert names(place) == []
    with whole(place) as part:
        part.mkdir()
        (part / "a").write_text("new")
    assert texts(place) == {"a": "new"}, "an empty folder is no loss"


def test_what_appears_at_the_last_moment_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the last check and each rename of a folder, somebody else makes a folder there."""
    place, replace = tmp_path / "folder", os.replace
    for num_renames in (0, 1):
        if num_renames:
            place.mkdir()
            (place / "a").write_text("old")
        left = [num_renames]

        def raced(source: Path, target: Path, left: list[int] = left) -> None:
            if target == place and left.pop() == 0:
                place.mkdir()
                (place / "thesis").write_text("thesis")
            replace(source, target)
            left.append(0)

        if not num_renames:
            left.append(0)
        with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            patch.setattr(os, "replace", raced)
            law = pytest.raises(PlaceError, match=r"written to meanwhile")
            with law, whole(place, check=lambda old: None) as part:
                part.mkdir()
                (part / "b").write_text("new")
        assert texts(place) == {"thesis": "thesis"}
        if num_renames:
            (kept,) = tmp_path.glob("folder.*.part/.old/folder")
            assert texts(kept) == {"a": "old"}
            assert str(kept) in str(told[-1].message)
            with pytest.warns(LeftoverWarning, match="written by somebody else meanwhile"):
                sweep_beside(place)
            assert kept.is_dir(), "what somebody may miss is never swept"
        (place / "thesis").unlink()
        place.rmdir()


def test_a_file_and_a_folder_do_not_replace_each_other(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    with pytest.raises(PlaceError, match=r"a file is to stand at .*, but a folder stands there"):
        write_text(tmp_path / "folder", "new")
    law = r"a folder is to stand at .*, but a file stands there"
    with pytest.raises(PlaceError, match=law), whole(tmp_path / "file") as part:
        part.mkdir()
    assert names(tmp_path) == ["file", "folder"]


def test_a_link_to_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("somebody's")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "new")
    assert texts(tmp_path) == {"target": "somebody's", "link": "new"}


def test_the_place_is_settled_before_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with whole(Path("file")) as part:
        part.write_text("new")
        monkeypatch.chdir(tmp_path)
    assert names(tmp_path) == ["here"]
    assert names(tmp_path / "here") == ["file"]


def test_a_file_comes_after_those_that_belong_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    replace = os.replace

    def replaced(source: Path, target: Path) -> None:
        done.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    with whole_with_others(tmp_path / "model") as part:
        for name in ("model.weights", "model", "a"):
            part.with_name(name).write_text(name)
    assert done == ["a", "model.weights", "model"]
    assert texts(tmp_path) == {name: name for name in done}


def test_a_copy_replaces_what_stands_there_and_goes_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    for _ in range(2):
        put_copy(tmp_path / "folder", tmp_path / "copy")
        put_copy(tmp_path / "folder" / "a", tmp_path / "single")
    assert texts(tmp_path / "copy") == {"a": "a"}
    write_text(tmp_path / "single", "new")
    assert (tmp_path / "folder" / "a").read_text() == "a"
    assert names(tmp_path) == ["copy", "folder", "single"]
