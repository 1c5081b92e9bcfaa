"""The host's CPU, as all backends that run on it share it: threads, clock, reference kernel, name and memory."""

import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch
from torch import nn

from latency.blocks.modules import ModuleCall
from latency.pricing.scenario import Runtime
from latency.timing.clock import Clock, ThreadCpuClock, WallClock
from search_spaces.files.user_error import UserError

MAX_THREADS: Final = 2**12  # more is a slip of the hand, which a runtime ends on
REFERENCE_SIZE: Final = 512
REFERENCE_PRODUCTS: Final = 6  # 0.8 GMACs: tens of milliseconds on one core, long enough to feel the machine's mood
REFERENCE_NAME: Final = f"{REFERENCE_PRODUCTS} products of {REFERENCE_SIZE}x{REFERENCE_SIZE} float32 matrices"


class HostCpu(ABC):
    """A backend on the host's CPU; what it runs there, and how, is left to the runtimes.

    One thread is timed by its own CPU clock, which a busy machine does not move. Several threads need the wall clock
    and a calm machine.

    Args:
        threads: Threads that the runtime may use; 1 is recommended.

    Raises:
        ValueError: Fewer than one thread, or more than `MAX_THREADS`.
    """

    compute_unit = "cpu"
    torch_device = "cpu"
    copies_weights = False
    enters_runtime = False
    reference_name = REFERENCE_NAME

    def __init__(self, *, threads: int = 1) -> None:
        if not 1 <= threads <= MAX_THREADS:
            raise UserError(f"`threads` must be at least 1 and at most {MAX_THREADS}, but got {threads}")
        self.threads = threads
        self.clock: Clock = ThreadCpuClock() if threads == 1 else WallClock()

    @property
    @abstractmethod
    def runtime(self) -> Runtime:
        """Name, version and options, as the table records them."""

    @abstractmethod
    def prepare(self, call: ModuleCall, /) -> Callable[[], object]:
        """Something that executes a module's call once and returns when the work is done."""

    def discard(self, call: ModuleCall, /) -> None:  # noqa: B027  # exporting runtimes do something
        """Nothing: torch's modules stay where they are."""

    @contextmanager
    def session(self) -> Iterator[None]:
        """No gradients, and the number of torch's threads; both as before afterwards."""
        with torch_threads(self.threads), torch.no_grad():
            yield

    def reference(self) -> Callable[[], object]:
        """Matrix products, the bulk of a UNet's work."""
        module = MatrixProducts()
        return lambda: module(module.left)


class MatrixProducts(nn.Module):
    """The reference kernel of CPUs: a chain of products of square matrices (512, 512)."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        shape = (REFERENCE_SIZE, REFERENCE_SIZE)
        self.left = torch.randn(shape, generator=generator)
        self.right = torch.randn(shape, generator=generator) / REFERENCE_SIZE**0.5  # keeps the numbers' size

    def forward(self, left: torch.Tensor) -> torch.Tensor:
        """The last product."""
        for _ in range(REFERENCE_PRODUCTS):
            left = left @ self.right
        return left

    def call(self) -> ModuleCall:
        """Its call, for runtimes that execute it themselves."""
        return ModuleCall(module=self, args=(self.left,))


@contextmanager
def torch_threads(threads: int, /) -> Iterator[None]:
    """Threads that torch may use for the time of a `with` block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def host_processor() -> str:
    """Name of this machine's processor, as its operating system gives it."""
    for line in _lines("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def processor_of(torch_device: str, /) -> str:
    """Name of what computes on a torch device: a GPU's, as its driver gives it, or this machine's processor."""
    return torch.cuda.get_device_name(torch_device) if torch_device.startswith("cuda") else host_processor()


def available_bytes() -> int | None:
    """Memory that can be had without swapping; None where the operating system does not say."""
    for line in _lines("/proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.removesuffix("kB")) * 1024
    return None


def _lines(file: str) -> list[str]:
    path = Path(file)
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
