"""Ray actors as a worker pool, on this machine or on the cluster at an address."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ray
import torch

from nas.worker import EvaluationResult, EvaluationTask, EvaluationWorker, WorkerSpec


class WorkersUnavailableError(ValueError):
    """Ray cannot give as many workers as were asked for."""


class RayPool:
    """`num_workers` actors, each holding the models once; weights travel through Ray's object store.

    Actors start to load when the pool is made and are first waited for when the first task is; the driver goes on
    meanwhile.

    Args:
        spec: What each worker loads.
        num_workers: Number of actors.
        address: Address of a Ray cluster; None = start Ray on this machine.

    Raises:
        WorkersUnavailableError: The cluster has fewer free processors than workers.
    """

    def __init__(self, spec: WorkerSpec, /, *, num_workers: int, address: str | None = None) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        environment = {"OMP_NUM_THREADS": str(spec.num_threads)}
        if address is None:
            ray.init(
                num_cpus=num_workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": environment},
            )
        else:
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env={"env_vars": environment}
            )
        free = ray.available_resources().get("CPU", 0)
        if free < num_workers:
            ray.shutdown()
            raise WorkersUnavailableError(
                f"`num_workers` is {num_workers}, but Ray has {free:.0f} free processors; ask for fewer workers"
            )
        actor: Any = ray.remote(num_cpus=1)(EvaluationWorker)  # its methods get `.remote`, which no type knows
        self._actors: list[Any] = [actor.remote(spec, name=f"worker {index}") for index in range(num_workers)]

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Put once, read by every actor; returns when all have taken over."""
        shared = ray.put({name: tensor.detach().contiguous().numpy() for name, tensor in weights.items()})
        ray.get([actor.update_weights.remote(shared) for actor in self._actors])

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        """Each actor gets the next task as soon as it has answered its last one."""
        waiting = list(reversed(tasks))
        busy: dict[Any, Any] = {}
        for actor in self._actors[: len(tasks)]:
            busy[actor.evaluate.remote(waiting.pop())] = actor
        while busy:
            (done,), _ = ray.wait(list(busy), num_returns=1)
            actor = busy.pop(done)
            if waiting:
                busy[actor.evaluate.remote(waiting.pop())] = actor
            yield ray.get(done)

    def close(self) -> None:
        """Kill the actors and leave Ray."""
        for actor in self._actors:
            ray.kill(actor)
        ray.shutdown()
