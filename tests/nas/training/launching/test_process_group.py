"""A fleet of torch's processes: they begin together, and every number is averaged once, whatever lies side by side."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from nas.training.launching import process_group
from nas.training.launching.process_group import ProcessGroup, group
from tests.warm import PROCESSES, exit_code


def test_every_tensor_has_its_mean_in_buckets_of_one_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_group, "BUCKET_BYTES", 40)
    before = [torch.arange(float(n)).reshape(shape) for n, shape in ((6, (2, 3)), (4, (4,)), (30, (5, 6)), (1, ()))]
    before.insert(2, torch.ones(3, dtype=torch.float64))
    tensors = [each.clone() for each in before]
    with group(0, world=1, meeting=tmp_path / "meeting", device=torch.device("cpu")) as fleet:
        assert fleet == ProcessGroup.joined() == ProcessGroup(0, 1)
        ProcessGroup(0, 2).average(tensors)  # as if another one had nothing to add
        assert fleet.gathered(["a.png"]) == ["a.png"]
    assert all(torch.equal(after, each / 2) for after, each in zip(tensors, before, strict=True))
    assert [len(each) for each in process_group._buckets(before)] == [2, 1, 1, 1]
    assert list(process_group._buckets([])) == []


def come_and_leave(folder: Path, rank: int) -> None:
    """The first of two is in the group when the other one has connected, however late, and leaves at once."""
    connect, connected = dist.init_process_group, folder / "connected"

    def connect_late(*args: Any, **kwargs: Any) -> None:
        connect(*args, **kwargs)
        time.sleep(0.3)
        connected.touch()

    if rank:
        dist.init_process_group = connect_late
    with group(rank, world=2, meeting=folder / "meeting", device=torch.device("cpu")):
        assert connected.exists()


def test_nobody_is_in_before_all_have_connected(tmp_path: Path) -> None:
    other = PROCESSES.Process(target=come_and_leave, args=(tmp_path, 1), daemon=True)
    other.start()
    assert exit_code(come_and_leave, tmp_path, 0) == 0
    other.join(60)
    assert other.exitcode == 0
