"""Workers as Ray actors, on this machine or on a cluster; any of them may be lost at any time.

A lost actor is replaced by a fresh one and its task is given out again, here and not by Ray, because a fresh actor
needs the current weights. A worker is given a task only right after it has answered, so that a death in idleness is
never held against a task. One that is silent for long is named, and in the end replaced like one that is lost.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import ray
import torch
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from nas.workers.patience import Patience, Silence
from nas.workers.ray_actor import RayWorker, ResultT, TaskT, Worker
from nas.workers.ray_cluster import check_capacity, connect, free_resources, is_reserved, reserve
from nas.workers.ray_errors import (
    MEMORY_REMEDY,
    SilentWorkerError,
    TaskFailedError,
    WorkersUnavailableError,
    brief,
    cause_of,
    is_loss,
    plain,
)
from nas.workers.ray_weights import WeightsHistory
from nas.workers.settings import WorkerSettings

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Member:
    """An actor; `deadline` is that of its first answer, by the monotonic clock."""

    name: str
    actor: Any
    deadline: float
    num_failed_starts: int
    ready: bool = False
    version: int = 0


@dataclass(slots=True, eq=False)
class _Job(Generic[TaskT]):
    task: TaskT
    num_attempts: int = 0


@dataclass(slots=True, eq=False)
class _Request(Generic[TaskT]):
    """What a member was asked: a job, or None for a greeting; `version` is that of its weights afterwards.

    Whoever has not answered yet at all has a deadline instead of being silent.
    """

    member: _Member
    version: int
    silence: Silence
    job: _Job[TaskT] | None = None


class RayPool(Generic[TaskT, ResultT]):
    """Actors that each hold one worker; implements `nas.workers.pool.WorkerPool`.

    Actors start to load when the pool is made and are first waited for when the first task is; the driver goes on
    meanwhile.

    Args:
        spec: What each worker is made from.
        worker_class: Class of the workers, called as `worker_class(spec, name=...)` in each actor.
        settings: How many, where, and how patiently.
        base_weights: What a fresh worker holds, so that only what differs travels; None = unknown.
        log_folder: Folder of one log per worker, `worker-0.log` and so on; None = Ray's own logs only.
        on_start: Called with (workers ready, workers in all) while the pool is waited for the first time.

    Raises:
        WorkersUnavailableError: Ray cannot be reached, or has no room for so many workers.
    """

    def __init__(
        self,
        spec: object,
        /,
        *,
        worker_class: Callable[..., Worker[TaskT, ResultT]],
        settings: WorkerSettings,
        base_weights: Mapping[str, torch.Tensor] | None = None,
        log_folder: Path | None = None,
        on_start: Callable[[int, int], None] = lambda num_ready, num_workers: None,
    ) -> None:
        self._spec, self._worker_class, self._settings = spec, worker_class, settings
        self._log_folder, self._on_start = log_folder, on_start
        self._members: list[_Member] = []
        self._idle: list[_Member] = []
        self._requests: dict[Any, _Request[TaskT]] = {}  # by reference of the answer
        self._patience = Patience(timeout_s=settings.task_timeout_s)
        self._was_complete = self._is_evaluating = self._is_closed = False
        self._places: PlacementGroup | None = None
        self._owns_ray = False
        try:
            if log_folder is not None:
                log_folder.mkdir(parents=True, exist_ok=True)
            self._owns_ray = connect(settings.address)
            check_capacity(settings)
            self._places = reserve(settings)
            for index in range(settings.num_workers):
                self._members.append(self._start(f"worker-{index}"))
            self._weights = WeightsHistory(base_weights)
        except BaseException:
            self.close()
            raise

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Put what changed into Ray's object store; each worker fetches it with its next task."""
        changed = self._weights.record(weights)
        _log.info("weights version %d: %d tensors changed", self._weights.version, len(changed))

    def evaluate(self, tasks: Sequence[TaskT], /) -> Iterator[ResultT]:
        """Results as they arrive, each exactly once; a worker gets its next task as soon as it has answered.

        Tasks still under way when the iterator is dropped are forgotten, and their workers serve again once they are
        through.

        Raises:
            TaskFailedError: A task failed, or lost its worker, `max_attempts` times.
            WorkersUnavailableError: Workers did not start.
        """
        return self._evaluate(tasks, each_once=False)

    def warm_up(self, task: TaskT, /) -> None:
        """Have every worker do a task once, those included that are still loading.

        Raises:
            TaskFailedError: As `evaluate`.
            WorkersUnavailableError: As `evaluate`.
        """
        for _ in self._evaluate([task] * len(self._members), each_once=True):
            pass

    def _evaluate(self, tasks: Sequence[TaskT], *, each_once: bool) -> Iterator[ResultT]:
        """Results as they arrive; `each_once` = no worker does a second task."""
        if self._is_closed or self._is_evaluating:
            raise RuntimeError("a pool does one evaluation at a time, and none after it was closed")
        self._is_evaluating = True
        if not self._was_complete:
            self._on_start(sum(member.ready for member in self._members), len(self._members))
        waiting = deque(_Job(task) for task in tasks)
        num_left, began = len(waiting), time.monotonic()
        through: list[_Member] = []  # those that get no more
        result: Any  # of a worker, of whichever class
        try:
            while num_left:
                if waiting:
                    self._greet_the_idle(but=through)
                reference, silent = self._next_answered()
                request = self._requests.pop(reference)
                result, error = _answer(reference) if silent is None else (None, silent)
                if error is None:
                    request.member.version = request.version
                    if request.silence.since >= began:  # what was asked before may have waited for us
                        self._patience.answered(time.monotonic() - request.silence.since)
                elif not (request.member.ready or is_loss(error)):
                    raise WorkersUnavailableError(f"{request.member.name} cannot work: {cause_of(error)}") from error
                loss = error if error is not None and is_loss(error) else None
                if loss is not None:
                    self._replace(request.member, loss)
                else:
                    self._welcome(request.member)
                if error is not None and request.job is not None:
                    waiting.appendleft(self._count_failure(request.job, request.member, error))
                if each_once and error is None and request.job is not None:
                    through.append(request.member)
                elif waiting and loss is None:
                    self._ask(self._idle.pop(), waiting.popleft())
                if error is None and request.job is not None:
                    num_left -= 1
                    yield result
        finally:
            for request in self._requests.values():
                request.job = None
            self._is_evaluating = False

    def close(self) -> None:
        """Kill the actors, whatever they do, and leave Ray as it was found."""
        self._is_closed = True
        if ray.is_initialized():
            for member in self._members:
                ray.kill(member.actor)
            if self._places is not None:
                remove_placement_group(self._places)
            if self._owns_ray:
                ray.shutdown()
        self._members, self._idle, self._requests = [], [], {}
        self._places, self._owns_ray = None, False

    def _start(self, name: str, /, *, num_failed_starts: int = 0) -> _Member:
        """A fresh actor, which answers once it has loaded."""
        settings = self._settings
        assert self._places is not None
        actor: Any = ray.remote(RayWorker).options(  # its methods get `.remote`, which no type knows
            num_cpus=settings.cpus_per_worker,
            num_gpus=settings.gpus_per_worker,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=PlacementGroupSchedulingStrategy(self._places),
        )
        member = _Member(
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
        self._greet(member)
        return member

    def _greet(self, member: _Member) -> None:
        self._requests[member.actor.greet.remote()] = _Request(
            member=member, version=member.version, silence=self._silence()
        )

    def _silence(self) -> Silence:
        return Silence(since=time.monotonic(), patience=self._patience)

    def _greet_the_idle(self, *, but: Sequence[_Member]) -> None:
        idle, self._idle = self._idle, []
        for member in idle:
            if member in but:
                self._idle.append(member)
            else:
                self._greet(member)

    def _ask(self, member: _Member, job: _Job[TaskT]) -> None:
        reference = member.actor.evaluate.remote(job.task, self._weights.since(member.version))
        self._requests[reference] = _Request(
            member=member, version=self._weights.version, silence=self._silence(), job=job
        )

    def _next_answered(self) -> tuple[Any, SilentWorkerError | None]:
        """Reference of an answer that is there, or that stands for the loss of its worker, which may be by silence."""
        while True:
            if self._is_closed:
                raise RuntimeError("the pool was closed in the middle of an evaluation")
            looks = [request.silence.next_look() for request in self._requests.values() if request.member.ready]
            patience_s = min([member.deadline for member in self._members] + looks) - time.monotonic()
            timeout_s = max(patience_s, 0.0) if math.isfinite(patience_s) else None
            answered, _ = ray.wait(list(self._requests), num_returns=1, timeout=timeout_s)
            if answered:
                return answered[0], None
            self._check_starts()
            for reference, request in self._requests.items():
                if request.member.ready and (lost := self._listen_to(request)):
                    return reference, lost

    def _listen_to(self, request: _Request[TaskT]) -> SilentWorkerError | None:
        """Name a worker that is silent for long, and give it up in the end."""
        now, silence = time.monotonic(), request.silence
        if silence.is_lost(now):
            return SilentWorkerError(now - silence.since)
        if silence.is_news(now):
            limit_s = self._patience.lost_after_s
            until = f"after {limit_s:.0f} s" if math.isfinite(limit_s) else "if `workers.task_timeout_s` is given"
            _log.warning(
                "%s has not answered for %.0f s; it is replaced %s", request.member.name, now - silence.since, until
            )
        return None

    def _check_starts(self) -> None:
        """A missing worker is an error at first, later only if no other is left."""
        late = [member for member in self._members if member.deadline <= time.monotonic()]
        num_ready = sum(member.ready for member in self._members)
        if late and not (self._was_complete and num_ready):
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
                f"{num_ready} of {settings.num_workers} workers are ready, but {len(late)} have not answered within "
                f"`start_timeout_s` = {settings.start_timeout_s:g} s: {reason}{logs}"
            )
        for member in late:
            _log.warning("%s has not come back; the search goes on without it", member.name)
            member.deadline = math.inf

    def _welcome(self, member: _Member) -> None:
        """A worker that has answered is there for the next task; its first answer is news while the pool starts."""
        self._idle.append(member)
        if member.ready:
            return
        member.ready, member.deadline, member.num_failed_starts = True, math.inf, 0
        num_ready = sum(member.ready for member in self._members)
        if not self._was_complete:
            self._on_start(num_ready, len(self._members))
            self._was_complete = num_ready == len(self._members)

    def _count_failure(self, job: _Job[TaskT], member: _Member, error: RayError) -> _Job[TaskT]:
        job.num_attempts += 1
        if job.num_attempts >= self._settings.max_attempts:
            raise TaskFailedError(job.task, num_attempts=job.num_attempts, error=error) from error
        _log.warning(
            "attempt %d at a task failed on %s, it is tried again: %s", job.num_attempts, member.name, brief(error)
        )
        return job

    def _replace(self, lost: _Member, error: RayError) -> None:
        """A fresh actor for a lost one; the lost one is killed, lest it lives on unseen."""
        ray.kill(lost.actor)
        num_failed_starts = lost.num_failed_starts + (not lost.ready)
        if num_failed_starts >= self._settings.max_attempts:
            raise WorkersUnavailableError(
                f"{lost.name} failed to start {num_failed_starts} times in a row, which is `max_attempts`; without an "
                f"error of its own below, it has probably run out of memory: {MEMORY_REMEDY}\n{plain(error)}"
            ) from error
        _log.warning("%s is lost and replaced: %s", lost.name, brief(error))
        index = self._members.index(lost)
        self._members[index] = self._start(lost.name, num_failed_starts=num_failed_starts)


def _answer(reference: Any) -> tuple[Any, RayError | None]:
    """What a worker answered, or the error that came instead."""
    try:
        return ray.get(reference), None
    except RayError as error:
        return None, error
