"""A disk that takes no more: one clear error, whole files only, and the same command continues once there is room.

Small file systems in memory stand for full and read-only disks, where mounting is permitted; a limit on the size of
files does everywhere.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.drawing.grid import write_grid
from nas.runs.directory import RunDirectory
from nas.runs.trace import Trace, read_trace
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts
from search_spaces import Architecture, Position, Stage
from search_spaces.files.durable.disk import StorageError
from tests.nas.searching import exit_code, same_result, search

PROMPTS = (Prompt(caption="a red ring", noise_seed=1),)
KEY = ScoreKey(weights_digest="w0", arch_id="a0", protocol_digest="p0", prompts_digest=digest_of_prompts(PROMPTS))
ARCHITECTURE = Architecture(
    stages=(Stage(place="mid", positions=(Position(resnets=1, cross_attentions=0, source=0),)),)
)
WEIGHTS = {"a": torch.ones(20_000)}
CONFIG = {"model": "somewhere", "notes": "n" * 5_000}
PICTURES = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), np.uint8)


class Mount:
    """A file system in memory with as much room as it is told to have."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True, capture_output=True)

    def fill(self) -> None:
        """Leave no room at all."""
        room = os.statvfs(self.path)
        (self.path / "ballast").write_bytes(bytes(room.f_bavail * room.f_frsize))

    def empty(self) -> None:
        (self.path / "ballast").unlink()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    path = tmp_path / "disk"
    path.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` here")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    yield Mount(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def files(folder: Path) -> dict[str, bytes]:
    """All content; an empty trace is the lock of a run that was not born."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "ballast" and (path.name != "trace.jsonl" or path.stat().st_size)
    }


def begin(folder: Path) -> tuple[RunDirectory, ScoreStore, Trace]:
    """A run that has one of everything."""
    run = RunDirectory(folder / "run")
    with run.opened(CONFIG):
        store, trace = run.scores, Trace(run.trace_path)
    trace.emit("begun", fields={"target": 1})
    store.put(KEY, prompts=PROMPTS, scores=[0.1])
    run.weights.write(0, architecture=ARCHITECTURE, weights=WEIGHTS)
    return run, store, trace


def write_scores(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    prompts = (replace(PROMPTS[0], caption="a red ring " * 1_000),)  # too long for the end of a block
    key = replace(KEY, arch_id="a1", prompts_digest=digest_of_prompts(prompts))
    assert store.put(key, prompts=prompts, scores=[0.2]) == (0.2,)


def write_pictures(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    store.put(KEY, prompts=PROMPTS, scores=[0.1], pictures=PICTURES)
    assert store.pictures(KEY) is not None


def write_checkpoint(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    run.weights.write(1, architecture=ARCHITECTURE, weights={"a": WEIGHTS["a"] + 1})
    assert run.weights.read(1) is not None


def write_event(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    trace.emit("worked", fields={"weights": "w" * 5_000})
    assert [event["event"] for event in read_trace(run.trace_path)] == ["begun", "worked"]


def write_grid_of_pictures(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    write_grid(run.path / "images" / "round-000.png", PICTURES, captions=["a red ring"])


def open_another_run(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    with RunDirectory(run.path.with_name("other")).opened(CONFIG):
        pass


def open_another_store(run: RunDirectory, store: ScoreStore, trace: Trace) -> None:
    ScoreStore(run.path.with_name("store"))


WRITES = (
    write_scores,
    write_pictures,
    write_checkpoint,
    write_event,
    write_grid_of_pictures,
    open_another_run,
    open_another_store,
)


def test_a_full_disk_refuses_loudly_and_takes_the_same_again_when_there_is_room(mount: Mount) -> None:
    parts = begin(mount.path)
    before = files(mount.path)
    mount.fill()
    for write in WRITES:
        with pytest.raises(StorageError, match=r"^cannot write .*: the disk is full; free some space and run the same"):
            write(*parts)
        assert files(mount.path) == before, write.__name__
    mount.empty()
    for write in WRITES:
        write(*parts)


def test_a_read_only_disk_refuses_loudly_and_can_still_be_read(mount: Mount) -> None:
    run, store, trace = begin(mount.path)
    before = files(mount.path)
    mount.remount("ro")
    refusal = r"^cannot write .*: the file system is read-only; make it writable and run the same command"
    for write in WRITES:
        if write is not write_event:
            with pytest.raises(StorageError, match=refusal):
                write(run, store, trace)
    with pytest.raises(StorageError, match=refusal):
        Trace(run.trace_path)
    with pytest.raises(StorageError, match=refusal), run.opened(CONFIG):
        pass
    assert files(mount.path) == before
    assert ScoreStore(run.path / "scores").get(KEY) == (0.1,)
    assert run.weights.read(0) is not None
    assert len(read_trace(run.trace_path)) == 1
    mount.remount("rw")
    write_scores(run, store, trace)


def write_under_a_limit(folder: Path) -> None:
    """In a process of its own, which the limit ends with."""
    run, store, trace = begin(folder)
    before = files(folder)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    law = r": the file would exceed the largest size allowed; raise the limit \(`ulimit -f`\) and run the same command"
    for write in WRITES[:-1]:  # a new store's mark is smaller than any limit
        with pytest.raises(StorageError, match=rf"^cannot write .*{law}"):
            write(run, store, trace)
        assert files(folder) == before, write.__name__
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    for write in WRITES:
        write(run, store, trace)


def test_a_limit_on_the_size_of_files_refuses_loudly_and_leaves_whole_files(tmp_path: Path) -> None:
    assert exit_code(write_under_a_limit, tmp_path) == 0


def test_a_search_on_a_full_disk_continues_when_there_is_room_to_the_same_end(
    mount: Mount, run: Path, experiment: Path
) -> None:
    needed = sum(path.stat().st_size for path in run.rglob("*"))
    out = mount.path / "run"
    for share in (0.2, 0.5, 0.8):
        mount.remount(f"size={int(needed * share)}")
        with pytest.raises(
            StorageError, match="the disk is full; free some space and run the same command, which cont"
        ):
            search(experiment, out)
        assert not list(out.rglob("*.part"))
    mount.remount(f"size={2 * needed}")
    search(experiment, out)
    same_result(run, out)
