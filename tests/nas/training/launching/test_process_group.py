"""A fleet of torch's processes: every number is averaged once, whatever types and sizes lie side by side."""

from pathlib import Path

import pytest
import torch

from nas.training.launching import process_group
from nas.training.launching.process_group import ProcessGroup, group


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
