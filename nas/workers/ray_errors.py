"""What Ray's errors mean for a pool: a worker that is lost, a task that failed, workers that cannot be had."""

import re
import textwrap
from typing import Final

import torch
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from search_spaces.files.user_error import UserError

MEMORY_REMEDY: Final = "use fewer workers or a smaller `validation.chunk_size`"


class WorkersUnavailableError(UserError):
    """Ray cannot be reached, or cannot give or start as many workers as were asked for."""


class SilentWorkerError(RayError):
    """A worker has not answered for so long that it counts as lost: stopped, or stuck for ever.

    Attributes:
        seconds: How long.
    """

    def __init__(self, seconds: float, /) -> None:
        self.seconds = seconds
        super().__init__(f"it has not answered for {seconds:.0f} s, after which `workers.task_timeout_s` gives it up")


class TaskFailedError(RuntimeError):
    """A task failed as often as it may.

    Attributes:
        task: What failed.
        num_attempts: How often.
        traceback: Of the last failure, on the worker; of a lost worker, Ray's account of its end.
    """

    def __init__(self, task: object, /, *, num_attempts: int, error: RayError) -> None:
        self.task, self.num_attempts, self.traceback = task, num_attempts, plain(error)
        if isinstance(error, SilentWorkerError):
            remedy = "\nif that is how long a task takes, raise `workers.task_timeout_s`"
        elif is_loss(error):
            remedy = f"\nthe worker was lost; if it ran out of memory, as is likely, {MEMORY_REMEDY}"
        elif isinstance(getattr(error, "cause", None), (MemoryError, torch.OutOfMemoryError)):
            remedy = f"\nthe worker ran out of memory: {MEMORY_REMEDY}"
        else:
            remedy = ""
        times = "once" if num_attempts == 1 else f"{num_attempts} times"
        super().__init__(
            f"a task failed {times}, which is `workers.max_attempts`: {textwrap.shorten(repr(task), 400)}\n"
            f"{self.traceback}{remedy}"
        )


def is_loss(error: RayError, /) -> bool:
    """Whether an error says that a worker is gone, or what it answered; what the task itself raised does not."""
    lost = (SilentWorkerError, RayActorError, NodeDiedError, ObjectLostError, OutOfMemoryError, WorkerCrashedError)
    return isinstance(error, lost) and not isinstance(error, RayTaskError)


def cause_of(error: RayError, /) -> str:
    """What a worker itself raised, without the way that it came."""
    return str(getattr(error, "cause", None) or plain(error))


def plain(error: RayError, /) -> str:
    """What Ray says of an error, without its colours."""
    return re.sub(r"\x1b\[\d+m", "", str(error)).strip()


def brief(error: RayError, /) -> str:
    """The line of it that says what happened: the end of a traceback, the head of an account."""
    has_traceback = isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False)
    return plain(error).splitlines()[-1 if has_traceback else 0]
