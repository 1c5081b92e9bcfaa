"""The power cut and the full disk that writers are tried with, at each of their steps, and what must stand then."""

import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from search_spaces.files.durable.parts import sweep
from tests.warm import exit_code

DONE, ENDLESS = 0, 7
MOST_STEPS = 2000
WATCHED, FOUND = "watched", "in_place.json"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STEPS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")
CLOCKS = ("runtime", "start", "end")  # of records: what differs between two runs of the same
WORK = ("timings.jsonl", "training.jsonl")  # what was done twice is noted twice

Files = Mapping[str, bytes]
Write = Callable[[Path, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a writer is stopped, and what must stand then.

    Attributes:
        name: Of the file or folder that it writes.
        every: It is stopped at one of so many of its steps, and the disk refuses it at another one than the cut.
        by_file: Each file stands by itself; else all are old or all are new.
        wholes: Folders in it that stand whole or not at all, as patterns.
        passing: Files that stand on the way only, and are gone at the end.
        dated: Files in which times are written, as patterns: that they stand is all that is compared.
        grows: Records in it (`*.jsonl`) grow by whole lines, whose clocks are not compared.
    """

    name: str
    every: int = 1
    by_file: bool = False
    wholes: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    dated: tuple[str, ...] = ()
    grows: bool = False

    def content(self, place: Path, /) -> dict[str, bytes]:
        """What is compared of the files at a place, by their path from it."""
        files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
        return {name: self._told(name, file.read_bytes()) for file in files for name in [_name(file, place)]}

    def _told(self, name: str, data: bytes) -> bytes:
        if any(fnmatch(name, pattern) for pattern in self.dated):
            return b""
        if not self.may_grow(name):
            return data
        lines = list(map(_timeless, data.splitlines(keepends=True)))
        return b"".join(dict.fromkeys(lines) if Path(name).name in WORK else lines)

    def may_grow(self, name: str, /) -> bool:
        """Whether a file, by its path from the place, is a record that grows by whole lines."""
        return self.grows and name.endswith(".jsonl")

    def stands(self, after: Files, /, *, before: Files, new: Files) -> bool:
        """Whether the old or the new stands, whole."""
        if not self.by_file:
            return after in (before, new)
        for pattern in self.wholes:
            folders = {str(Path(name).parent) for name in new if fnmatch(str(Path(name).parent), pattern)}
            if any(_below(after, each) not in (set(), _below(before, each), _below(new, each)) for each in folders):
                return False
        return set(before) - set(after) <= set(before) - set(new) and all(
            data in (before.get(name), new.get(name))
            or (self.may_grow(name) and new.get(name, b"").startswith(data) and data[-1:] in (b"", b"\n"))
            for name, data in after.items()
            if name not in self.passing
        )


def _name(file: Path, place: Path) -> str:
    return "" if file == place else str(file.relative_to(place))


def _below(files: Files, folder: str) -> set[str]:
    return {name for name in files if Path(folder) in Path(name).parents}


def _timeless(line: bytes) -> bytes:
    try:
        record = json.loads(line)
    except ValueError:
        return line
    return json.dumps({key: value for key, value in record.items() if key not in CLOCKS}).encode() + b"\n"


class PowerCut(BaseException):
    """Nothing reaches the disk any more, so that whatever tidies up on its way out does not either."""


class Stop:
    """What happens at the n-th step of a writer at or beside a place: the power is cut, or the disk refuses it.

    A file that is opened to be written is empty then: what had been in it is gone, and nothing new has come.
    """

    def __init__(self) -> None:
        self._name, self._how, self._left = "", "", 0

    def arm(self, place: Path, how: str, step: int) -> None:
        self._name, self._how, self._left = place.name, how, step

    def disarm(self) -> bool:
        """Whether it came to that step."""
        self._name = ""
        return self._left <= 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in STEPS or (event == "open" and arguments[2] & WRITES)
        if not self._name or not changes:
            return
        if event in STEPS or self._name in str(arguments[0]):
            self._left -= 1
            if self._left == 0:
                if event == "open":
                    self._empty(*arguments)
                if self._how == "refuse":
                    raise OSError(28, "No space left on device")
        if self._left <= 0 and self._how == "cut":
            raise PowerCut

    def _empty(self, path: Any, mode: str | None, flags: int) -> None:
        if isinstance(path, str | bytes | os.PathLike) and flags & (os.O_CREAT | os.O_TRUNC):
            name, self._name = self._name, ""
            os.close(os.open(path, flags & ~os.O_EXCL))
            self._name = name


def stopped_everywhere(write: Write, writing: Writing, folder: Path) -> None:
    """The writer, stopped at its steps in turn until none is left, in a process of its own, whose end frees its locks.

    Into `folder` go copies of its `0` in which it was stopped, one for each way and step.
    """
    stop = Stop()
    sys.addaudithook(stop)  # no process gets rid of it
    for how in ("cut", "refuse"):
        for step in range(1 if how == "cut" else 1 + writing.every // 2, MOST_STEPS, writing.every):
            place = Path(shutil.copytree(folder / "0", folder / f"{how}{step}")) / writing.name
            stop.arm(place, how, step)
            with suppress(OSError, PowerCut):
                write(place, 1)
            if not stop.disarm():
                break
        else:
            os._exit(ENDLESS)
    os._exit(DONE)  # before objects of the stopped ones are tidied up


def in_place(write: Write, writing: Writing, folder: Path) -> None:
    """Write once, in a process of its own, and say into a file which files came to their place but by a renaming.

    Libraries that are not Python write without a step that could be stopped: what is seen of theirs is the renaming.
    """
    landed = set[Path]()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.link"):
            landed.add(Path(os.fsdecode(arguments[1])).absolute())

    place = Path(shutil.copytree(folder / "0", folder / WATCHED)) / writing.name
    before = writing.content(place)
    sys.addaudithook(watch)
    write(place, 1)
    names = sorted(
        name
        for name, data in writing.content(place).items()
        if before.get(name) != data and not writing.may_grow(name)
        if landed.isdisjoint({place / name, *(place / name).parents})
    )
    (folder / FOUND).write_text(json.dumps(names))
    os._exit(DONE)


def tidied(folder: Path) -> None:
    """As commands tidy up when they begin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweep(folder)


def seen_standing(write: Write, writing: Writing, folder: Path) -> set[str]:
    """Check that a writer, stopped at any step, leaves the old or the new, and that a second call ends as undisturbed.

    Args:
        write: Writes one of two versions, 0 or 1, of the same thing to a place. It may keep what it needs for that
            beside the copies, in `place.parents[1]`.
        writing: How it is stopped, and what must stand.
        folder: An empty one to try in.

    Returns:
        What stood where it was stopped: "the old", "more"; both, where its steps are tried at all.
    """
    for version in (0, 1):
        write(folder / str(version) / writing.name, version)
    before, new = (writing.content(folder / str(version) / writing.name) for version in (0, 1))
    assert before != new
    assert exit_code(in_place, write, writing, folder) == DONE
    assert json.loads((folder / FOUND).read_text()) == []
    assert exit_code(stopped_everywhere, write, writing, folder) == DONE
    seen = set[str]()
    for how in ("cut", "refuse"):
        folders = sorted(folder.glob(f"{how}*"))
        for stopped in folders:
            tidied(stopped)
            place = stopped / writing.name
            after = writing.content(place)
            seen.add("the old" if after == before else "more")
            assert writing.stands(after, before=before, new=new), stopped.name
            assert [path.name for path in stopped.iterdir()] == [writing.name], stopped.name
            write(place, 1)
            assert writing.content(place) == new, stopped.name
        assert len(folders) > 2
    return seen
