"""What lives in a Ray actor: some worker, the version of its weights, and its log.

Imports no model library: what a worker needs, its own class imports.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import ray

from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.workers.ray_weights import WeightsChange

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
TaskT_contra = TypeVar("TaskT_contra", contravariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)
_log = logging.getLogger(__name__)


class Worker(Protocol[TaskT_contra, ResultT_co]):
    """What a class of workers must offer; it is called with a spec and, by keyword, the worker's `name`."""

    def update_weights(self, changed: Mapping[str, Any], /) -> None:
        """Take over weights, given as read-only numpy arrays that must not be kept."""

    def evaluate(self, task: TaskT_contra, /) -> ResultT_co:
        """The result of one task."""


class RayWorker(Generic[TaskT, ResultT]):
    """A worker that brings its weights up to date before each task.

    Args:
        worker_class: What to hold.
        spec: Its argument.
        name: Its name.
        log_path: File that takes all it says; None, or in a folder that this machine does not see = Ray's own logs.
    """

    def __init__(
        self,
        worker_class: Callable[..., Worker[TaskT, ResultT]],
        spec: object,
        /,
        *,
        name: str,
        log_path: Path | None,
    ) -> None:
        if log_path is not None:
            _send_output_to(log_path)
        _log.info("%s starts as process %d on %s", name, os.getpid(), ray.util.get_node_ip_address())
        self._version = 0
        self._unfit: UserError | None = None
        try:
            self._worker = worker_class(spec, name=name)
        except UserError as error:  # trying again does not help
            _log.error("%s cannot start: %s", name, error)
            self._unfit = error
        except Exception:
            _log.exception("%s could not start", name)
            raise
        else:
            _log.info("%s is ready", name)

    def greet(self) -> None:
        """Answer, which shows that this worker lives.

        Raises:
            UserError: It could not start, and never will.
        """
        if self._unfit is not None:
            raise self._unfit

    def evaluate(self, task: TaskT, changes: "Sequence[WeightsChange]", /) -> ResultT:
        """Take over those changes of the weights that are new here, then do a task."""
        try:
            for change in changes:
                if change.version > self._version:
                    self._worker.update_weights(ray.get(change.arrays))
                    self._version = change.version
            return self._worker.evaluate(task)
        except Exception:
            _log.exception("a task failed: %r", task)
            raise


def _send_output_to(path: Path) -> None:
    """Append to a file what this process prints, warns and logs, its libraries in C included."""
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        _log.warning("%s cannot be written here, so that Ray's own logs stay the only ones: %s", path, error)
        return
    sys.stdout.flush()
    sys.stderr.flush()
    for descriptor in (1, 2):
        os.dup2(file.fileno(), descriptor)
    sys.stdout = sys.stderr = file
    file.reconfigure(line_buffering=True)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, force=True)
    logging.captureWarnings(True)
