"""The actors of a pool: started, awaited within their time, replaced where one is lost."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from nas.workers.ray_actor import RayWorker, Worker
from nas.workers.ray_cluster import free_resources, is_reserved, reserve
from nas.workers.ray_errors import MEMORY_REMEDY, WorkersUnavailableError, brief, plain
from nas.workers.settings import WorkerSettings

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Member:
    """An actor.

    Attributes:
        name: Such as "worker-0".
        actor: Ray's handle.
        deadline: Of its first answer, by the monotonic clock.
        num_failed_starts: On end.
        ready: Whether it has answered.
        version: Of the weights that it holds.
    """

    name: str
    actor: Any
    deadline: float
    num_failed_starts: int
    ready: bool = False
    version: int = 0


class Crew:
    """Members of equal make, each of which answers for the first time once it has loaded.

    Args:
        spec: What each worker is made from.
        worker_class: Class of the workers, called as `worker_class(spec, name=...)` in each actor.
        settings: How many, where, and how patiently.
        log_folder: Folder of one log per worker; None = Ray's own logs only.
        on_start: Called with (workers ready, workers in all) until all were ready once.

    Attributes:
        members: In the order of their names.
    """

    def __init__(
        self,
        spec: object,
        /,
        *,
        worker_class: Callable[..., Worker[Any, Any]],
        settings: WorkerSettings,
        log_folder: Path | None,
        on_start: Callable[[int, int], None],
    ) -> None:
        self._spec, self._worker_class, self._settings = spec, worker_class, settings
        self._log_folder, self._on_start = log_folder, on_start
        self.members: list[Member] = []
        self._was_complete = False
        self._places: PlacementGroup | None = None

    def start(self) -> list[Member]:
        """Start all members.

        Raises:
            WorkersUnavailableError: Ray has no room for so many.
        """
        self._places = reserve(self._settings)
        for index in range(self._settings.num_workers):
            self.members.append(self._started(f"worker-{index}", num_failed_starts=0))
        return self.members

    def dismiss(self) -> None:
        """Kill all members, whatever they do, and give their places back."""
        if ray.is_initialized():
            for member in self.members:
                ray.kill(member.actor)
            if self._places is not None:
                remove_placement_group(self._places)
        self.members, self._places = [], None

    def tell(self) -> None:
        """Say how many are ready, as long as not all of them were."""
        if not self._was_complete:
            self._on_start(self._num_ready, len(self.members))

    def welcome(self, member: Member, /) -> None:
        """A member has answered; its first answer is news while the pool starts."""
        if member.ready:
            return
        member.ready, member.deadline, member.num_failed_starts = True, math.inf, 0
        self.tell()
        self._was_complete = self._was_complete or self._num_ready == len(self.members)

    def replace(self, lost: Member, error: RayError, /) -> Member:
        """A fresh member for a lost one, which is killed, lest it lives on unseen.

        Raises:
            WorkersUnavailableError: It failed to start too often.
        """
        ray.kill(lost.actor)
        num_failed_starts = lost.num_failed_starts + (not lost.ready)
        if num_failed_starts >= self._settings.max_attempts:
            raise WorkersUnavailableError(
                f"{lost.name} failed to start {num_failed_starts} times in a row, which is `max_attempts`; without an "
                f"error of its own below, it has probably run out of memory: {MEMORY_REMEDY}\n{plain(error)}"
            ) from error
        _log.warning("%s is lost and replaced: %s", lost.name, brief(error))
        index = self.members.index(lost)
        self.members[index] = self._started(lost.name, num_failed_starts=num_failed_starts)
        return self.members[index]

    def check_starts(self) -> None:
        """Check that members answer in time: a missing one is an error at first, later only if no other is left.

        Raises:
            WorkersUnavailableError: They do not.
        """
        late = [member for member in self.members if member.deadline <= time.monotonic()]
        if late and not (self._was_complete and self._num_ready):
            settings = self._settings
            assert self._places is not None
            if is_reserved(self._places):
                reason = "they are still loading; raise `start_timeout_s` if that is how long it takes"
            else:
                reason = (
                    f"Ray has {free_resources()}, others hold the rest; wait for them, ask for fewer workers, or for "
                    "less with `cpus_per_worker` and `gpus_per_worker`"
                )
            logs = f"; their logs are in {self._log_folder}" if self._log_folder is not None else ""
            raise WorkersUnavailableError(
                f"{self._num_ready} of {settings.num_workers} workers are ready, but {len(late)} have not answered "
                f"within `start_timeout_s` = {settings.start_timeout_s:g} s: {reason}{logs}"
            )
        for member in late:
            _log.warning("%s has not come back; the search goes on without it", member.name)
            member.deadline = math.inf

    @property
    def _num_ready(self) -> int:
        return sum(member.ready for member in self.members)

    def _started(self, name: str, *, num_failed_starts: int) -> Member:
        """A fresh actor."""
        settings = self._settings
        assert self._places is not None
        actor: Any = ray.remote(RayWorker).options(  # its methods get `.remote`, which no type knows
            num_cpus=settings.cpus_per_worker,
            num_gpus=settings.gpus_per_worker,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(self._places),
        )
        return Member(
            name=name,
            actor=actor.remote(
                self._worker_class,
                self._spec,
                name=name,
                log_path=self._log_folder.resolve() / f"{name}.log" if self._log_folder is not None else None,
            ),
            deadline=time.monotonic() + settings.start_timeout_s,
            num_failed_starts=num_failed_starts,
        )
