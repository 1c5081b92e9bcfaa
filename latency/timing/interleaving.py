"""The measuring protocol for a noisy machine: interleaved rounds, bracketed by a reference kernel.

Measuring block after block writes the machine's moods into the table (7.6 % error against 2.6 to 3.5 % on random
sub-networks); here every round visits every task in random order, so that all of them see the same moods.

Short tasks need several calls per round, and these are strewn over the round too. Called over and over, a block of a
small model finds its weights and code in the caches as it never does inside a forward pass, where other blocks ran
since: such sums came to 0.64 .. 0.89 of end to end (UNets of 5 to 80 ms), strewn ones to 0.95 .. 1.07 (5 and 25 ms).

Every round draws from its own seed, so a measurement that was stopped goes on as if it had not been. Knows no torch:
tasks are functions, time is a `Clock`.
"""

import gc
import math
import random
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Generic, TypeVar

import numpy as np

from latency.timing.clock import Clock
from latency.timing.estimator import Samples, bootstrap_cv
from search_spaces.files.user_error import UserError

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSettings:
    """How long to measure.

    Attributes:
        min_rounds: Rounds before stopping early is considered.
        max_rounds: Rounds after which measuring ends whatever the spread.
        target_cv: Stop when the bootstrap CV of every task's median is below.
        warm_ups: Calls of every task before the first round, the last of which is timed to choose `calls`.
        min_sample_ms: Short tasks are called several times per round, for about this long together,
        max_calls: but no more often than this: the shortest blocks weigh least.
        stretch_ms: The reference kernel runs again after this much work, so that long calls have it just before and
            just after and short ones share it: it empties the caches, and then the next few calls find them empty.
        seed: Of the order within rounds and of the bootstrap.
    """

    min_rounds: int = 10
    max_rounds: int = 60
    target_cv: float = 0.02
    warm_ups: int = 2
    min_sample_ms: float = 5.0
    max_calls: int = 32
    stretch_ms: float = 50.0
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = [
            f"`{name}` must be at least 1, but got {getattr(self, name)}"
            for name in ("min_rounds", "max_rounds", "max_calls", "warm_ups")
            if getattr(self, name) < 1
        ]
        wrong += [
            f"`{name}` must be positive, but got {getattr(self, name)}"
            for name in ("target_cv", "min_sample_ms", "stretch_ms")
            if not getattr(self, name) > 0
        ]
        if self.max_rounds < self.min_rounds:
            wrong.append(f"`max_rounds` must be at least `min_rounds`, but got {self.max_rounds} and {self.min_rounds}")
        if wrong:
            raise UserError("; ".join(wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport(Generic[K]):
    """Where a measurement stands.

    Attributes:
        num_rounds: Rounds done.
        max_rounds: Rounds after which it ends at the latest.
        worst: The task whose median is least sure.
        worst_cv: Its bootstrap CV; infinite after a single round.
        is_last: Whether it ends here: sure enough, or out of rounds.
        samples: Everything read so far.
    """

    num_rounds: int
    max_rounds: int
    worst: K
    worst_cv: float
    is_last: bool
    samples: Mapping[K, Samples]


def interleave(
    tasks: Mapping[K, Callable[[], object]],
    /,
    *,
    reference: Callable[[], object],
    clock: Clock,
    settings: MeasureSettings,
    repeats: Mapping[K, int] | None = None,
    earlier: Mapping[K, Samples] | None = None,
    on_round: Callable[[RoundReport[K]], None] | None = None,
) -> Mapping[K, Samples]:
    """Measure tasks against each other.

    Args:
        tasks: What to measure; each function does its work once.
        reference: A fixed piece of work, timed before and after every stretch.
        clock: Times the work.
        settings: How long, and in which random order.
        repeats: For tasks that stand for several like ones: how many, each of which gets its calls.
        earlier: What earlier rounds of the same tasks gave: measuring goes on as if it had not stopped.
        on_round: Told after every round how sure the medians are.
    """
    samples = earlier or {}
    if samples and standing(samples, settings=settings).is_last:
        return samples
    with _collector_off():
        for _ in range(settings.warm_ups):
            reference()
        like = {key: (repeats or {}).get(key, 1) for key in tasks}
        once_ms = {key: _warmed_up(task, clock, num_calls=settings.warm_ups * like[key]) for key, task in tasks.items()}
        if not samples:
            samples = {
                key: Samples(call_ms=(), reference_ms=(), calls=_calls(ms, settings) * like[key])
                for key, ms in once_ms.items()
            }
        for num_rounds in range(len(next(iter(samples.values())).call_ms), settings.max_rounds):
            stream = [key for key in tasks for _ in range(samples[key].calls)]
            random.Random(f"{settings.seed} {num_rounds}").shuffle(stream)
            readings = _round(stream, tasks, reference, clock, stretch_ms=settings.stretch_ms)
            samples = {key: _extended(samples[key], readings[key]) for key in tasks}
            report = standing(samples, settings=settings)
            if on_round is not None:
                on_round(report)
            if report.is_last:
                break
    return samples


def standing(samples: Mapping[K, Samples], /, *, settings: MeasureSettings) -> RoundReport[K]:
    """Where a measurement of at least one round stands; the same for the same samples, whoever asks and when."""
    num_rounds = len(next(iter(samples.values())).call_ms)
    rng = np.random.default_rng((settings.seed, num_rounds))
    cvs = {key: bootstrap_cv(rounds.ratios, rng=rng) for key, rounds in samples.items()}
    worst = max(cvs, key=cvs.__getitem__)
    is_sure = num_rounds >= settings.min_rounds and cvs[worst] < settings.target_cv
    return RoundReport(
        num_rounds=num_rounds,
        max_rounds=settings.max_rounds,
        worst=worst,
        worst_cv=cvs[worst],
        is_last=is_sure or num_rounds >= settings.max_rounds,
        samples=samples,
    )


def _round(
    stream: Sequence[K],
    tasks: Mapping[K, Callable[[], object]],
    reference: Callable[[], object],
    clock: Clock,
    *,
    stretch_ms: float,
) -> dict[K, list[tuple[float, float]]]:
    """Call the tasks of a stream; milliseconds of every call and of the reference around its stretch."""
    readings: dict[K, list[tuple[float, float]]] = {key: [] for key in tasks}
    stretch: list[tuple[K, float]] = []
    before = clock.elapsed_ms(reference)
    for left, key in zip(range(len(stream) - 1, -1, -1), stream, strict=True):
        stretch.append((key, clock.elapsed_ms(tasks[key])))
        if left == 0 or sum(ms for _, ms in stretch) >= stretch_ms:
            after = clock.elapsed_ms(reference)
            for called, ms in stretch:
                readings[called].append((ms, (before + after) / 2))
            stretch, before = [], after
    return readings


def _extended(samples: Samples, readings: Sequence[tuple[float, float]]) -> Samples:
    """Samples with those of one more round: the means over its calls."""
    return replace(
        samples,
        call_ms=(*samples.call_ms, fmean(ms for ms, _ in readings)),
        reference_ms=(*samples.reference_ms, fmean(ms for _, ms in readings)),
    )


def _warmed_up(work: Callable[[], object], clock: Clock, *, num_calls: int) -> float:
    """Warm a task up; the milliseconds of its last call."""
    for _ in range(num_calls):
        once_ms = clock.elapsed_ms(work)
    return once_ms


def _calls(once_ms: float, settings: MeasureSettings) -> int:
    """How many calls make a sample."""
    if once_ms * settings.max_calls <= settings.min_sample_ms:
        return settings.max_calls
    return max(1, math.ceil(settings.min_sample_ms / once_ms))


@contextmanager
def _collector_off() -> Iterator[None]:
    """A collection in the middle of a sample would be charged to whichever block runs."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
