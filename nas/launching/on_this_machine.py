"""Training on this machine: in this process, or in several that it starts and that meet at a file."""

import multiprocessing
import pickle
import queue
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import torch

from nas.launching.launch import Launch
from nas.launching.news import Listener, News
from nas.launching.stopping import Stopping
from nas.training.launching.fleet import ALONE
from nas.training.launching.process_group import group

LISTEN_S: Final = 0.2
LEAVE_S: Final = 60.0  # in which processes end that are done
CAUSE_S: Final = 2.0  # in which it comes out why a connection was closed
_START: Final = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"  # CUDA takes both


class WorkerLostError(RuntimeError):
    """A process that trains ended without a word: killed, or out of memory."""


@dataclass(frozen=True, slots=True)
class _OwnDesk:
    """In the process that waits itself."""

    tell: Listener
    stopping: Stopping

    def is_stopped(self) -> bool:
        """Whether a signal came."""
        return self.stopping.asked


def train_here(job: Launch, /, *, listen: Listener, stopping: Stopping) -> bool:
    """Train in this process."""
    desk = _OwnDesk(listen, stopping)
    with torch.random.fork_rng():
        return job.work(ALONE, device=torch.device(job.device), desk=desk)


@dataclass(frozen=True, slots=True)
class _FarDesk:
    """In a process that was started: what it says goes through a queue."""

    news: Any
    stop: Any

    def tell(self, news: News, /) -> None:
        """Put it into the queue."""
        self.news.put(news)

    def is_stopped(self) -> bool:
        """Whether the process that waits was asked to."""
        return bool(self.stop.is_set())


@dataclass(frozen=True, slots=True)
class _Ended:
    """How a process's work ended: done, stopped, or by an error."""

    rank: int
    is_done: bool = False
    error: bytes | None = None


def train_in_processes(job: Launch, /, *, listen: Listener, stopping: Stopping) -> bool:
    """Train in as many processes as the settings say, each on a processor or a card of its own.

    Raises:
        WorkerLostError: One of them was killed; the state of the last save stands.
        Exception: Whatever the first of them raises.
    """
    context: Any = multiprocessing.get_context(_START)
    news, stop, world = context.Queue(), context.Event(), job.workers.num_workers
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        processes = [
            context.Process(target=_work, args=(job, rank, meeting, news, stop), daemon=True) for rank in range(world)
        ]
        try:
            for process in processes:
                process.start()
            return _listened(job, processes, news, listen=listen, stopping=stopping, stop=stop.set)
        finally:
            for process in processes:
                if process.is_alive():
                    process.kill()
                if process.pid is not None:
                    process.join()


def _listened(
    job: Launch,
    processes: list[BaseProcess],
    news: Any,
    *,
    listen: Listener,
    stopping: Stopping,
    stop: Callable[[], None],
) -> bool:
    """Hear what processes say until all have ended, or one by an error."""
    ended, closed, until_s = dict[int, _Ended](), list[RuntimeError](), 0.0
    while len(ended) < len(processes):
        if stopping.asked:
            stop()
        lost = _lost(job, processes, ended)
        if closed and time.monotonic() > until_s:
            raise next(iter(lost), closed[0])
        try:
            heard = news.get(timeout=LISTEN_S)
        except queue.Empty:
            if lost:
                raise lost[0] from None
            continue
        if not isinstance(heard, _Ended):
            listen(heard)
            continue
        ended[heard.rank] = heard
        if heard.error is not None:
            error = pickle.loads(heard.error)  # noqa: S301  of our own process
            if type(error) is not RuntimeError:
                raise error
            # Whose neighbour was killed or failed finds its connection closed, which may be heard first.
            until_s = until_s or time.monotonic() + CAUSE_S
            closed.append(error)
    if closed:
        raise closed[0]
    for process in processes:
        process.join(LEAVE_S)
    return all(each.is_done for each in ended.values())


def _lost(job: Launch, processes: list[BaseProcess], ended: Mapping[int, _Ended]) -> list[WorkerLostError]:
    """Errors for the processes that are gone without a word."""
    return [
        WorkerLostError(
            f"process {rank} of {len(processes)} that train ended without a word (exit code {process.exitcode}); it "
            f"may have run out of memory: lower `{job.section}.batch_size`, or raise "
            f"`{job.section}.gradient_accumulation`. The same command goes on from the last state"
        )
        for rank, process in enumerate(processes)
        if process.exitcode not in (None, 0) and rank not in ended
    ]


def _work(job: Launch, rank: int, meeting: Path, news: Any, stop: Any) -> None:
    """What a process that was started does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who waits hears it and asks to stop
    device = torch.device(job.device)
    if device.type == "cuda":
        device = torch.device("cuda", rank)
    world = job.workers.num_workers
    with ExitStack() as stack:
        try:
            fleet = stack.enter_context(group(rank, world=world, meeting=meeting, device=device))
            ended = _Ended(rank, is_done=job.work(fleet, device=device, desk=_FarDesk(news, stop)))
        except Exception as error:  # said before the group is left, whose others then fail too
            ended = _Ended(rank, error=portable(error))
        news.put(ended)


def portable(error: Exception) -> bytes:
    """An error as bytes that another process can raise: itself, or its words."""
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301  our own
    except Exception:
        return pickle.dumps(RuntimeError("".join(traceback.format_exception(error))))
    return packed
