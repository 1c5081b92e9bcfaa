"""How long each stage of a picture takes: text encoders, UNet steps, decoder, as the modules of a pipeline are called.

Reads a clock around calls; the first call of each stage is a warm-up and stands apart.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from latency.timing.estimator import summarised


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """One stage's calls.

    Attributes:
        stage: "text encoder", "UNet step", "decoder" or "picture".
        batch: Rows per call; a UNet step with guidance has two for each picture.
        num_calls: Calls after the first.
        first_ms: The first call, a warm-up.
        median_ms: Of the calls after it; None when there were none.
        p10_ms: Their tenth percentile.
        p90_ms: Their ninetieth.
    """

    stage: str
    batch: int
    num_calls: int
    first_ms: float
    median_ms: float | None
    p10_ms: float | None
    p90_ms: float | None

    @classmethod
    def of(cls, calls_ms: list[float], /, *, stage: str, batch: int) -> Self:
        """The summary of a stage's calls in their order, at least one."""
        first, *rest = calls_ms
        summary = summarised(np.array(rest)) if rest else None
        return cls(
            stage=stage,
            batch=batch,
            num_calls=len(rest),
            first_ms=first,
            median_ms=summary.median_ms if summary else None,
            p10_ms=summary.p10_ms if summary else None,
            p90_ms=summary.p90_ms if summary else None,
        )


class StageTimer:
    """Collects the times of a pipeline's stages while it is watched.

    Args:
        device: Where the modules run; work that is queued on a CUDA device is waited for.
        read_ns: The clock.
    """

    def __init__(self, *, device: torch.device, read_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._device, self._read_ns = device, read_ns
        self._calls_ms: dict[tuple[str, int], list[float]] = defaultdict(list)

    @contextmanager
    def timed(self, stage: str, *, batch: int, share: int = 1) -> Iterator[None]:
        """Time a block of work.

        Args:
            stage: Its name.
            batch: Rows that it works on.
            share: Divide its time by so many, to get that of one.
        """
        start = self._now_ns()
        yield
        self._calls_ms[stage, batch].append((self._now_ns() - start) / 1e6 / share)

    @contextmanager
    def watching(self, modules: Mapping[str, torch.nn.Module], /) -> Iterator[None]:
        """Time every call of modules, by the name of their stage, for the time of a `with` block."""
        starts: dict[str, int] = {}

        def before(stage: str) -> Callable[..., None]:
            def start(*_: Any) -> None:
                starts[stage] = self._now_ns()

            return start

        def after(stage: str) -> Callable[..., None]:
            def stop(_: torch.nn.Module, arguments: tuple[Any, ...], *__: Any) -> None:
                elapsed_ms = (self._now_ns() - starts[stage]) / 1e6
                self._calls_ms[stage, len(arguments[0])].append(elapsed_ms)

            return stop

        with ExitStack() as hooks:
            for stage, module in modules.items():
                hooks.callback(module.register_forward_pre_hook(before(stage)).remove)
                hooks.callback(module.register_forward_hook(after(stage)).remove)
            yield

    def summary(self) -> tuple[StageTime, ...]:
        """Every stage and batch, in the order of their first calls."""
        return tuple(
            StageTime.of(calls_ms, stage=stage, batch=batch) for (stage, batch), calls_ms in self._calls_ms.items()
        )

    def _now_ns(self) -> int:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return self._read_ns()
