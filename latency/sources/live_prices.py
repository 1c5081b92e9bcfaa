"""Prices that are measured when they are asked for: a whole UNet beside the base model, as calibrating does it.

The base model is measured first, alone; any other architecture's price is its share of the base model in the same
rounds, times that: the machine's pace, which changes from hour to hour, is divided away. So a price depends on nothing
that was measured before or after it but the base model's.
"""

import gc
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from latency.blocks.modules import ModuleCall
from latency.blocks.tasks import Task, task_calls, workload_of
from latency.measuring.calibrate import WHOLE_SAMPLE_MS, check_memory
from latency.pricing.row import median_error
from latency.pricing.scenario import Workload
from latency.pricing.source import Latency
from latency.sources.kind import SourceReport
from latency.sources.machine import Machine
from latency.sources.price_log import MeasuredPrice, PriceLog
from latency.timing.estimator import Array, Samples
from latency.timing.interleaving import MeasureSettings, interleave
from search_spaces import Architecture, UNetSpace

if TYPE_CHECKING:
    from latency.backends.backend import Backend
    from search_spaces.supernet import Supernet

P10, P90 = 10, 90
DIGITS: Final = 6  # of ms: nanoseconds


class LivePrices:
    """Measured milliseconds of the architectures of one space.

    Args:
        machine: Machine, model and protocol.
        space: The space that is searched.
        context_tokens: Text tokens that cross-attentions read.
    """

    def __init__(self, machine: Machine, /, *, space: UNetSpace, context_tokens: int) -> None:
        self._machine, self._space, self._context_tokens = machine, space, context_tokens
        self.relative_error = machine.settings.relative_error
        self._log: PriceLog | None = None
        self._known: dict[str, MeasuredPrice] = {}
        self._bench: _Bench | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_log": None, "_known": {}, "_bench": None}

    def check_cache(self) -> None:
        """Read the cache.

        Raises:
            SampleLogError: It is another machine's, or of other settings.
        """
        sizes = {"latent_size": list(self._space.sample_size), "context_tokens": self._context_tokens}
        self._log = PriceLog(self._machine.cache, scenario=self._machine.conditions() | {"workload": sizes})
        self._known = self._log.read()

    def __call__(self, architecture: Architecture, /) -> float:
        """Measured milliseconds of one forward pass."""
        return self._priced([architecture])[0].ms

    def latency(self, architecture: Architecture, /) -> Latency:
        """Measured milliseconds, with their uncertainty by the spread of the rounds."""
        price = self._priced([architecture])[0]
        return Latency(ms=price.ms, error_ms=price.error_ms)

    def milliseconds(self, architectures: Sequence[Architecture], /) -> Array:
        """Measured milliseconds of many (n,)."""
        return np.asarray([price.ms for price in self._priced(architectures)], dtype=np.float64)

    def _priced(self, architectures: Sequence[Architecture]) -> list[MeasuredPrice]:
        if self._log is None:
            self.check_cache()
        assert self._log is not None
        known = self._known
        missing = {wanted.arch_id: wanted for wanted in architectures if wanted.arch_id not in known}
        if missing:
            for architecture in missing.values():
                self._space.check(architecture)
            base = self._space.base
            if base.arch_id not in known:
                missing = {base.arch_id: base} | missing
            if self._bench is None:
                self._bench = _Bench(self._machine, space=self._space, context_tokens=self._context_tokens)
            for done, architecture in enumerate(missing.values()):
                self._report(architecture, done=done, total=len(missing))
                price = self._bench.price(architecture, base=known.get(base.arch_id))
                self._known = known = self._log.append(price) | known  # the first counts, whoever measured it
        return [known[architecture.arch_id] for architecture in architectures]

    def _report(self, architecture: Architecture, *, done: int, total: int) -> None:
        seconds = [price.seconds for price in self._known.values()]
        what = f"measuring whole UNet {architecture.arch_id} in {self._machine.settings.backend}"
        self._machine.on_report(
            SourceReport(done=done, total=total, what=what, seconds_each=median(seconds) if seconds else None)
        )


class _Bench:
    """The supernet and the prepared base model of a process that measures."""

    def __init__(self, machine: Machine, /, *, space: UNetSpace, context_tokens: int) -> None:
        s = machine.settings
        self._backend: Backend = machine.backend()
        self._supernet: Supernet = machine.model.supernet(
            max_copies=space.max_copies, attention=s.attention, dtype=s.dtype, device=self._backend.torch_device
        )
        self._workload: Workload = workload_of(
            self._supernet,
            base_model=machine.model.name,
            batch=s.batch,
            height=0,
            width=0,
            context_tokens=context_tokens,
        )
        self._settings = MeasureSettings(
            min_rounds=s.rounds, max_rounds=s.rounds, min_sample_ms=WHOLE_SAMPLE_MS, seed=s.seed
        )
        self._base: tuple[ModuleCall, Callable[[], object]] | None = None

    def price(self, architecture: Architecture, /, *, base: MeasuredPrice | None) -> MeasuredPrice:
        """Measure an architecture; the base model's price is None only when it is the base model's that is asked."""
        start, backend = time.perf_counter(), self._backend
        own = self._supernet.space.base
        is_base = architecture == own
        assert is_base or base is not None, "the base model is measured first"
        if self._base is None:
            check_memory((architecture,), supernet=self._supernet, backend=backend)
        with backend.session():
            tasks: dict[Task, Callable[[], object]] = {own: self._run_base()}
            call = None if is_base else self._call(architecture)
            if call is not None:
                tasks[architecture] = backend.prepare(call)
            samples = interleave(tasks, reference=backend.reference(), clock=backend.clock, settings=self._settings)
            tasks.clear()
            if call is not None:
                backend.discard(call)
        gc.collect()  # what preparing left in cycles is as large as the model
        ms, error_ms = _alone(samples[own]) if base is None else _beside(samples[architecture], samples[own], base)
        return MeasuredPrice(
            arch_id=architecture.arch_id,
            ms=round(ms, DIGITS),
            error_ms=round(error_ms, DIGITS),
            seconds=round(time.perf_counter() - start, 3),
        )

    def _run_base(self) -> Callable[[], object]:
        if self._base is None:
            call = self._call(self._supernet.space.base)
            self._base = call, self._backend.prepare(call)
        return self._base[1]

    def _call(self, architecture: Architecture) -> ModuleCall:
        ((_, call),) = task_calls(
            (architecture,), self._supernet, workload=self._workload, seed=self._settings.seed, on_prepare=None
        )
        return call


def _alone(base: Samples) -> tuple[float, float]:
    """Milliseconds of the base model and their standard error."""
    times = base.ratios * median(base.reference_ms)
    return float(np.median(times)), _median_error(times)


def _beside(samples: Samples, base: Samples, price: MeasuredPrice) -> tuple[float, float]:
    """Milliseconds of an architecture by its share of the base model in the same rounds, and their standard error."""
    shares = np.asarray(samples.call_ms) / np.asarray(base.call_ms)
    return price.ms * float(np.median(shares)), price.ms * _median_error(shares)


def _median_error(values: Array) -> float:
    """Standard error of the median, from the spread: as `TableRow.median_error_ms`."""
    low, high = np.percentile(values, (P10, P90))
    return median_error(float(low), float(high), num_samples=len(values))
