"""What who trains tells who waits: small values that travel between processes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nas.training.loop import StepDone


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """So many pictures are encoded, of so many if that is known."""

    num_done: int
    num: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Steps begin, for the first time or again.

    Attributes:
        num_done: Steps that an earlier process did.
        num_steps: Of the whole training.
        process: Number of the first process that trains.
        host: Name of its machine.
    """

    num_done: int
    num_steps: int
    process: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A sheet of sample pictures stands."""

    path: Path
    step: int


News = Encoded | Begun | StepDone | Drawn
Listener = Callable[[News], None]


class Desk(Protocol):
    """Where a process that trains says how it goes, and asks whether to go on."""

    def tell(self, news: News, /) -> None:
        """Say something; must be quick."""
        ...

    def is_stopped(self) -> bool:
        """Whether somebody wants the training to stop after this step."""
        ...


def say_tenths(news: News) -> None:
    """A line per tenth of the training."""
    if isinstance(news, StepDone) and news.step * 10 // news.num_steps > (news.step - 1) * 10 // news.num_steps:
        line = f"step {news.step:,} of {news.num_steps:,}: loss {news.loss:.4f}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201  who waits is told
