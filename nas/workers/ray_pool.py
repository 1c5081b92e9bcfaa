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

from nas.workers.patience import Patience, Silence
from nas.workers.ray_actor import ResultT, TaskT, Worker
from nas.workers.ray_cluster import check_capacity, connect
from nas.workers.ray_crew import Crew, Member
from nas.workers.ray_errors import (
    SilentWorkerError,
    TaskFailedError,
    WorkersUnavailableError,
    brief,
    cause_of,
    is_loss,
)
from nas.workers.ray_weights import WeightsHistory
from nas.workers.settings import WorkerSettings

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Job(Generic[TaskT]):
    task: TaskT
    num_attempts: int = 0


@dataclass(slots=True, eq=False)
class _Request(Generic[TaskT]):
    """What a member was asked: a job, or None for a greeting; `version` is that of its weights afterwards.

    Whoever has not answered yet at all has a deadline instead of being silent.
    """

    member: Member
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
        self._max_attempts = settings.max_attempts
        self._crew = Crew(spec, worker_class=worker_class, settings=settings, log_folder=log_folder, on_start=on_start)
        self._idle: list[Member] = []
        self._requests: dict[Any, _Request[TaskT]] = {}  # by reference of the answer
        self._patience = Patience(timeout_s=settings.task_timeout_s)
        self._is_evaluating = self._is_closed = self._owns_ray = False
        try:
            if log_folder is not None:
                log_folder.mkdir(parents=True, exist_ok=True)
            self._owns_ray = connect(settings.address)
            check_capacity(settings)
            for member in self._crew.start():
                self._greet(member)
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
        for _ in self._evaluate([task] * len(self._crew.members), each_once=True):
            pass

    def _evaluate(self, tasks: Sequence[TaskT], *, each_once: bool) -> Iterator[ResultT]:
        """Results as they arrive; `each_once` = no worker does a second task."""
        if self._is_closed or self._is_evaluating:
            raise RuntimeError("a pool does one evaluation at a time, and none after it was closed")
        self._is_evaluating = True
        self._crew.tell()
        waiting = deque(_Job(task) for task in tasks)
        num_left, began = len(waiting), time.monotonic()
        through: list[Member] = []  # those that get no more
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
                    self._greet(self._crew.replace(request.member, loss))
                else:
                    self._idle.append(request.member)
                    self._crew.welcome(request.member)
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
        self._crew.dismiss()
        if self._owns_ray:
            ray.shutdown()
        self._idle, self._requests, self._owns_ray = [], {}, False

    def _greet(self, member: Member) -> None:
        self._requests[member.actor.greet.remote()] = _Request(
            member=member, version=member.version, silence=self._silence()
        )

    def _silence(self) -> Silence:
        return Silence(since=time.monotonic(), patience=self._patience)

    def _greet_the_idle(self, *, but: Sequence[Member]) -> None:
        idle, self._idle = self._idle, []
        for member in idle:
            if member in but:
                self._idle.append(member)
            else:
                self._greet(member)

    def _ask(self, member: Member, job: _Job[TaskT]) -> None:
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
            patience_s = min([member.deadline for member in self._crew.members] + looks) - time.monotonic()
            timeout_s = max(patience_s, 0.0) if math.isfinite(patience_s) else None
            answered, _ = ray.wait(list(self._requests), num_returns=1, timeout=timeout_s)
            if answered:
                return answered[0], None
            self._crew.check_starts()
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

    def _count_failure(self, job: _Job[TaskT], member: Member, error: RayError) -> _Job[TaskT]:
        job.num_attempts += 1
        if job.num_attempts >= self._max_attempts:
            raise TaskFailedError(job.task, num_attempts=job.num_attempts, error=error) from error
        _log.warning(
            "attempt %d at a task failed on %s, it is tried again: %s", job.num_attempts, member.name, brief(error)
        )
        return job


def _answer(reference: Any) -> tuple[Any, RayError | None]:
    """What a worker answered, or the error that came instead."""
    try:
        return ray.get(reference), None
    except RayError as error:
        return None, error
