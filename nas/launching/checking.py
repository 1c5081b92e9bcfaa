"""Whether there can be as many processes as a training asks for, before anything is loaded."""

import os

import torch

from latency.exporters.extras import load_extra
from nas.pipelines.computing.execution import check_device
from nas.training.launching.settings import TrainingWorkers
from search_spaces.files.user_error import UserError


def check_workers(workers: TrainingWorkers, /, *, device: str, section: str) -> None:
    """Check that there can be such processes; what a cluster has is seen when it is joined.

    Args:
        workers: How many, and where.
        device: What they compute on.
        section: Name of the settings of training in the config.

    Raises:
        UserError: There cannot.
        MissingExtraError: Ray is asked for and not installed.
    """
    if workers.address is not None:
        load_extra("ray.train", extra="ray")
        if device != "cpu" and not workers.gpus_per_worker:
            raise UserError(
                f"`{section}.device` is {device!r}, but `{section}.workers.gpus_per_worker` is 0, and Ray "
                "hides GPUs from workers that ask for none; set it to 1"
            )
        if device == "cpu" and workers.gpus_per_worker:
            raise UserError(
                f"`{section}.workers.gpus_per_worker` is {workers.gpus_per_worker:g}, but workers train on cpu; "
                f"set `{section}.device` to cuda, or ask for no GPUs"
            )
        return
    check_device(device, name=f"{section}.device")
    num = num_devices(device)
    if workers.num_workers > num:
        what = "processors" if device == "cpu" else "CUDA devices"
        raise UserError(
            f"`{section}.workers.num_workers` must be at most the {num} {what} that this machine has for it, but "
            f"is {workers.num_workers}; train with fewer processes, or on a Ray cluster "
            f"(`{section}.workers.address`)"
        )


def num_devices(device: str, /) -> int:
    """How many processes can train on this machine, each on a processor or card of its own."""
    if device == "cpu":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return torch.cuda.device_count()
