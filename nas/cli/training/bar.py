"""The live screen of a training: one bar with loss, speed, time to the end, learning rate and share of skipped blocks.

Where nobody looks at a terminal there is a line for every tenth of the training instead.
"""

import time
from collections.abc import Callable
from typing import Final

from nas.cli.screen.console import Screen, in_one_line
from nas.cli.screen.formats import duration
from nas.cli.screen.live_bar import LiveBar
from nas.launching.news import Begun, Drawn, Encoded, News
from nas.training.loop import StepDone

SMOOTHING: Final = 0.05  # weight of a new step in what is shown
LINES: Final = 10  # where there is no terminal


class TrainingBar(LiveBar):
    """Shows where a training stands, for the time of a `with` block.

    Args:
        screen: Where.
        batch_size: Pictures per step.
        encoding: What is done before the steps, in words.
        clock: In seconds.
    """

    def __init__(
        self,
        screen: Screen,
        /,
        *,
        batch_size: int,
        encoding: str = "encoding pictures",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(screen, before="loading the model")
        self._batch_size, self._encoding, self._clock = batch_size, encoding, clock
        self._loss = self._skipped = 0.0
        self._seconds: float | None = None  # of a step
        self._last_s: float | None = None
        self._num_heard = 0

    def show(self, news: News, /) -> None:
        """Show what happened."""
        match news:
            case StepDone():
                self._learn(news)
                after = self._after(news)
                self._update(f"step {news.step:,}/{news.num_steps:,}", after, news.step, news.num_steps)
                done, before = (LINES * step // news.num_steps for step in (news.step, news.step - 1))
                if not self._is_live and done > before:
                    self._screen.sentence(f"step {news.step:,} of {news.num_steps:,}: {after}")
            case Encoded(num_done=done, num=num):
                of = "" if num is None else f" of {num:,}"
                self._update(self._encoding, f"{done:,}{of}", done, num)
            case Begun(num_done=done, num_steps=num):
                self._last_s = self._clock()
                if done:
                    self._screen.sentence(f"goes on after step {done:,} of {num:,}")
            case Drawn(path=path):
                self._last_s = self._clock()  # drawing is no part of a step
                self._screen.sentence(in_one_line(f"pictures: {path}"))

    def _update(self, text: str, after: str, done: int, num: int | None) -> None:
        self._bar.update(self._task, completed=done, total=num, description=text, after=after)

    def _learn(self, done: StepDone) -> None:
        """Take a step into the running means."""
        now = self._clock()
        self._num_heard += 1
        weight = max(SMOOTHING, 1 / self._num_heard)
        self._loss += weight * (done.loss - self._loss)
        self._skipped += weight * (done.skipped - self._skipped)
        if self._last_s is not None:
            took = now - self._last_s
            self._seconds = took if self._seconds is None else self._seconds + weight * (took - self._seconds)
        self._last_s = now

    def _after(self, done: StepDone) -> str:
        """Loss, speed, time to the end, learning rate, share of skipped blocks."""
        parts = [f"loss {self._loss:.4f}"]
        if self._seconds:
            parts += [
                f"{self._batch_size / self._seconds:,.1f} pictures/s",
                f"{duration(self._seconds * (done.num_steps - done.step))} left",
            ]
        return ", ".join([*parts, f"rate {done.learning_rate:.1e}", f"skipped {self._skipped:.0%}"])
