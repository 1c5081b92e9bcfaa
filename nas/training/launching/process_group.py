"""A fleet of torch's processes: gloo between CPUs, NCCL between GPUs, joined by whoever starts them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor

BUCKET_BYTES: Final = 25 * 2**20  # that are averaged at once: fewer calls, little memory
TIMEOUT: Final = timedelta(hours=1)  # others wait while the first one writes a state or draws


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process in the group that it has joined."""

    rank: int
    world: int

    @classmethod
    def joined(cls) -> "ProcessGroup":
        """The group that is there, by whoever made it, such as Ray Train or torchrun."""
        return cls(dist.get_rank(), dist.get_world_size())

    def average(self, tensors: Sequence[Tensor], /) -> None:
        """Give each tensor, in place, its mean over all ranks, many tensors at a time.

        Each number is summed once and handed to all, so that every rank goes on with the same bits.
        """
        for bucket in _buckets(tensors):
            flat = torch.cat([each.detach().reshape(-1) for each in bucket])
            dist.all_reduce(flat)
            flat /= self.world
            for each, mean in zip(bucket, flat.split([each.numel() for each in bucket]), strict=True):
                each.copy_(mean.view(each.shape))

    def gathered(self, names: Sequence[str], /) -> list[str]:
        """The names that all ranks give, one rank after the other."""
        gathered: list[list[str]] = [[] for _ in range(self.world)]
        dist.all_gather_object(gathered, list(names))
        return [name for each in gathered for name in each]


@contextmanager
def group(rank: int, /, *, world: int, meeting: Path, device: torch.device) -> Iterator[ProcessGroup]:
    """Join the processes of one machine that meet at a file, for the time of a `with` block.

    The block begins when all are connected.

    Args:
        rank: Of this process.
        world: How many there are.
        meeting: A file that nothing stands at before the first comes.
        device: What this process computes on; decides between gloo and NCCL.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=meeting.absolute().as_uri(),
        rank=rank,
        world_size=world,
        timeout=TIMEOUT,
    )
    fleet = ProcessGroup(rank, world)
    try:
        fleet.average([torch.zeros((), device=device)])  # who leaves before all are connected breaks their connections
        yield fleet
    finally:
        dist.destroy_process_group()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type and device that follow each other, of about `BUCKET_BYTES` together."""
    bucket, num_bytes = list[Tensor](), 0
    for each in tensors:
        is_other = bool(bucket) and (each.dtype, each.device) != (bucket[0].dtype, bucket[0].device)
        if bucket and (is_other or num_bytes + each.nbytes > BUCKET_BYTES):
            yield bucket
            bucket, num_bytes = [], 0
        bucket.append(each)
        num_bytes += each.nbytes
    if bucket:
        yield bucket
