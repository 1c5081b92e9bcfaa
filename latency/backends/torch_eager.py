"""torch as it is, on the host's CPU: the backend that every machine has."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import diffusers
import torch

from latency.blocks import ModuleCall
from latency.clock import Clock, ThreadCpuClock, WallClock
from latency.scenario import Runtime

REFERENCE_SIZE = 512
REFERENCE_PRODUCTS = 6  # 0.8 GMACs: tens of milliseconds on one core, long enough to feel the machine's mood


class TorchEager:
    """Modules called as they are.

    One thread is timed by its own CPU clock, which a busy machine does not move. Several threads need the wall clock
    and a calm machine.

    Args:
        threads: Threads that torch may use; 1 is recommended.

    Raises:
        ValueError: Fewer than one thread.
    """

    compute_unit = "cpu"
    reference_name = f"{REFERENCE_PRODUCTS} products of {REFERENCE_SIZE}x{REFERENCE_SIZE} float32 matrices"

    def __init__(self, *, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"`threads` must be at least 1, but got {threads}")
        self.threads = threads
        self.clock: Clock = ThreadCpuClock() if threads == 1 else WallClock()

    @property
    def runtime(self) -> Runtime:
        """This torch with its thread count."""
        return Runtime(
            name="torch-eager",
            version=torch.__version__,
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=(("threads", str(self.threads)),),
        )

    @contextmanager
    def session(self) -> Iterator[None]:
        """Inference mode and the number of threads; both as before afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)

    def prepare(self, call: ModuleCall, /) -> Callable[[], object]:
        """The call itself."""
        module, args, kwargs = call.module.eval(), call.args, call.kwargs
        return lambda: module(*args, **kwargs)

    def reference(self) -> Callable[[], object]:
        """Matrix products, the bulk of a UNet's work."""
        generator = torch.Generator().manual_seed(0)
        left = torch.randn(REFERENCE_SIZE, REFERENCE_SIZE, generator=generator)
        right = torch.randn(REFERENCE_SIZE, REFERENCE_SIZE, generator=generator)

        def multiply() -> None:
            for _ in range(REFERENCE_PRODUCTS):
                torch.mm(left, right)

        return multiply


def host_processor() -> str:
    """Name of this machine's processor, as its operating system gives it."""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "model name":
                    return value.strip()
    return platform.processor() or platform.machine()
