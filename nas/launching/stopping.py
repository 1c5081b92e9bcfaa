"""Ctrl-C in a training: the step that is under way is ended and the state is kept; a second one ends it at once."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)  # the second is how batch systems take machines back


class Stopping:
    """Whether somebody asked to stop, for the time of a `with` block; other threads than the main one hear no signals.

    Attributes:
        asked: Whether to stop after the step that is under way.
        is_stepping: Whether steps are under way; before them, stopping is at once.
    """

    def __init__(self) -> None:
        self.asked = self.is_stepping = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._hear) for each in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self.is_stepping:
            raise KeyboardInterrupt
        self.asked = True
