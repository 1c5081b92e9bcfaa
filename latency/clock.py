"""Clocks: the port through which measuring reads time, so that it is tested without waiting."""

import time
from typing import Protocol


class Clock(Protocol):
    """A clock that only runs forward."""

    @property
    def name(self) -> str:
        """Name that the table records."""
        ...

    def now_ms(self) -> float:
        """Milliseconds since some fixed moment."""
        ...


class ThreadCpuClock:
    """CPU time of the calling thread: a busy machine does not make it run; work of other threads is not seen."""

    name = "thread_cpu"

    def now_ms(self) -> float:
        """Milliseconds of CPU time of this thread."""
        return time.thread_time_ns() / 1e6


class WallClock:
    """Time as people know it: for work on several threads or on another device."""

    name = "wall"

    def now_ms(self) -> float:
        """Milliseconds since the machine started."""
        return time.perf_counter_ns() / 1e6
