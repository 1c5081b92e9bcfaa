"""A backend with a clock of its own, shared by the tests of measuring and of calibrating."""

from contextlib import nullcontext
from functools import cache

from latency.pricing.scenario import Runtime


class Counting:
    """A backend whose calls take 1/4096 ms per weight (so that sums are exact) and are counted.

    Args:
        entering_ms: What every call takes besides.
    """

    compute_unit, torch_device, copies_weights, reference_name = "cpu", "cpu", False, "nothing"
    runtime = Runtime(name="counting", version="1")

    def __init__(self, *, entering_ms=0.0):
        self.entering_ms, self.enters_runtime = entering_ms, entering_ms > 0
        self.clock, self.name, self.ms = self, "fake", 0.0
        self.modules = []
        self.num_prepared, self.num_discarded, self.num_calls = 0, 0, 0

    def session(self):
        return nullcontext()

    def prepare(self, call):
        self.num_prepared += 1
        self.modules.append(call.module)

        @cache
        def ms() -> float:  # of the first call: a module that changed since it was prepared shows
            return self.entering_ms + 2**-12 * sum(p.numel() for p in call.module.parameters())

        return lambda: self.run(ms())

    def discard(self, call):
        self.num_discarded += 1

    def reference(self):
        return lambda: self.run(1.0)

    def run(self, ms):
        self.num_calls, self.ms = self.num_calls + 1, self.ms + ms

    def elapsed_ms(self, work):
        start_ms = self.ms
        work()
        return self.ms - start_ms
