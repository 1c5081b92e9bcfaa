"""A worker that needs no model: it squares numbers, and fails on demand; imported by Ray's processes."""

import os
import signal
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from search_spaces.files.user_error import UserError


class BrokenResultError(Exception):
    """A stranger to the driver's own errors."""


@dataclass(frozen=True, kw_only=True)
class TinySpec:
    """`broken` workers raise when made, `unfit` ones an error of the user's.

    Each of `slow_starts` delays one start by so many seconds; `held` holds the first start until `release`.
    """

    markers: Path
    broken: bool = False
    unfit: bool = False
    slow_starts: tuple[float, ...] = ()
    held: bool = False

    def release(self) -> None:
        (self.markers / "released").touch()


@dataclass(frozen=True, kw_only=True)
class TinyTask:
    """Square a number; `act` up to `times` times before, counted by marker files over all workers."""

    number: int
    act: str = "answer"
    times: int = 1000


@dataclass(frozen=True, kw_only=True)
class TinyResult:
    """A square, and what its worker held: weights by name, and the names of every update that it was sent."""

    number: int
    square: int
    worker: str
    process: int
    node: str
    weights: dict[str, float] = field(default_factory=dict)
    updates: tuple[frozenset[str], ...] = ()


class TinyWorker:
    def __init__(self, spec: TinySpec, /, *, name: str) -> None:
        if spec.broken:
            raise FileNotFoundError("no model here")
        if spec.unfit:
            raise UserError("no such device here")
        for index, seconds in enumerate(spec.slow_starts):
            if _first(spec.markers / f"slow-{index}"):
                time.sleep(seconds)
                break
        if spec.held and _first(spec.markers / "held"):
            _wait_for((spec.markers / "released").exists)
        self._spec, self._name = spec, name
        self._weights: dict[str, float] = {}
        self._updates: list[frozenset[str]] = []

    def update_weights(self, changed: Mapping[str, Any], /) -> None:
        self._updates.append(frozenset(changed))
        self._weights |= {name: float(array.sum()) for name, array in changed.items()}

    def evaluate(self, task: TinyTask, /) -> TinyResult:
        if any(_first(self._spec.markers / f"{task.act}-{task.number}-{turn}") for turn in range(task.times)):
            self._act(task)
        return TinyResult(
            number=task.number,
            square=task.number**2,
            worker=self._name,
            process=os.getpid(),
            node=ray.get_runtime_context().get_node_id() if ray.is_initialized() else "",
            weights=dict(self._weights),
            updates=tuple(self._updates),
        )

    def _act(self, task: TinyTask) -> None:
        match task.act:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "raise":
                raise BrokenResultError(f"cannot square {task.number}")
            case "exhaust memory":
                raise MemoryError(f"{task.number} is too large")
            case "wait":
                time.sleep(0.3)
            case "meet":  # another worker, which does the same
                (self._spec.markers / f"met-{self._name}").touch()
                _wait_for(lambda: len(list(self._spec.markers.glob("met-*"))) == 2)
            case "hang":
                time.sleep(3600)
            case "speak":
                print("a printed line", flush=True)
                os.write(2, b"a line from C\n")
                warnings.warn("a warning", stacklevel=1)


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _first(marker: Path) -> bool:
    """Whether nobody has come here before."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
