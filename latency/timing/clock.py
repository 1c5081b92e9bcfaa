"""Clocks: the port through which measuring reads time, so that it is tested without waiting."""

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Times a piece of work."""

    @property
    def name(self) -> str:
        """Name that the table records."""
        ...

    def elapsed_ms(self, work: Callable[[], object], /) -> float:
        """Do the work, and tell how many milliseconds it took."""
        ...


class ThreadCpuClock:
    """CPU time of the calling thread: a busy machine does not make it run; work of other threads is not seen."""

    name = "thread_cpu"

    def elapsed_ms(self, work: Callable[[], object], /) -> float:
        """Milliseconds of CPU time of this thread."""
        return _elapsed_ms(work, time.thread_time_ns)


class ProcessCpuClock:
    """CPU time of all threads together: for one unit of work at a time, on whichever thread a runtime puts it."""

    name = "process_cpu"

    def elapsed_ms(self, work: Callable[[], object], /) -> float:
        """Milliseconds of CPU time of this process."""
        return _elapsed_ms(work, time.process_time_ns)


class WallClock:
    """Time as people know it: for work on several threads or on another device."""

    name = "wall"

    def elapsed_ms(self, work: Callable[[], object], /) -> float:
        """Milliseconds that passed."""
        return _elapsed_ms(work, time.perf_counter_ns)


def _elapsed_ms(work: Callable[[], object], read_ns: Callable[[], int]) -> float:
    start_ns = read_ns()
    work()
    return (read_ns() - start_ns) / 1e6
