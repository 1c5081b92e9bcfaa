"""torch on a CUDA device, eager or compiled, timed by the device's own events.

Launching a kernel costs the host microseconds, which a device that is busy with the kernels before does not see: inside
a forward pass only the first of them waits. A short block alone would be charged with it, so it is repeated and the
time of a single call subtracted: (time of 1 + n calls - time of 1 call) / n.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import diffusers
import torch

from latency.backends.torch_compile import compiled
from latency.blocks.modules import ModuleCall
from latency.pricing.scenario import Runtime
from latency.timing.clock import Clock
from search_spaces.files.user_error import UserError

REPEAT_BELOW_MS: Final = (
    2.0  # hundreds of launches: above, what one call waits for its first kernel is below a per cent
)
REPEATED_MS: Final = 5.0
MAX_REPEATS: Final = 64
REFERENCE_SIZE: Final = 4096
REFERENCE_PRODUCTS: Final = 20  # 1.4 TMACs in float16: some milliseconds on a large GPU of 2023, tens on a small one


class CudaMode(StrEnum):
    """How torch runs modules on the device."""

    EAGER = "eager"
    COMPILE = "compile"


class CudaEventClock:
    """Time between two events on the device's stream; short work is repeated, see this module's head."""

    name = "cuda_events, short work repeated and one call subtracted"

    def elapsed_ms(self, work: Callable[[], object], /) -> float:
        """Milliseconds of one call when others stand before it."""
        once_ms = self._between_events_ms(work, times=1)
        if once_ms >= REPEAT_BELOW_MS:
            return once_ms
        more = min(MAX_REPEATS, math.ceil(REPEATED_MS / once_ms))
        return (self._between_events_ms(work, times=1 + more) - once_ms) / more

    @staticmethod
    def _between_events_ms(work: Callable[[], object], *, times: int) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        for _ in range(times):
            work()
        end.record()
        end.synchronize()
        elapsed_ms: float = start.elapsed_time(end)
        return elapsed_ms


class Cuda:
    """Modules on the current CUDA device. Its process starts differ: measure in three, raising `min_rounds` each time.

    Args:
        mode: As they are, or through `torch.compile`.

    Raises:
        ValueError: torch sees no CUDA device.
    """

    compute_unit = "gpu"
    torch_device = "cuda"
    copies_weights = False
    enters_runtime = False  # its clock subtracts a call
    reference_name = f"{REFERENCE_PRODUCTS} products of {REFERENCE_SIZE}x{REFERENCE_SIZE} float16 matrices"

    def __init__(self, *, mode: CudaMode = CudaMode.EAGER) -> None:
        if not torch.cuda.is_available():
            raise UserError(
                f"torch must see a CUDA device, but torch {torch.__version__} sees none; "
                "look at `nvidia-smi`, or measure another backend"
            )
        self.mode = mode
        self.clock: Clock = CudaEventClock()

    @property
    def runtime(self) -> Runtime:
        """This torch, its CUDA and what decides how its kernels compute."""
        options = {
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "cudnn_benchmark": str(torch.backends.cudnn.benchmark),
            "cudnn_tf32": str(torch.backends.cudnn.allow_tf32),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
        }
        return Runtime(
            name=f"torch-{self.mode}",
            version=torch.__version__,
            converter="inductor" if self.mode is CudaMode.COMPILE else "",
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=tuple(sorted(options.items())),
        )

    @contextmanager
    def session(self) -> Iterator[None]:
        """Inference mode."""
        with torch.inference_mode():
            yield

    def prepare(self, call: ModuleCall, /) -> Callable[[], object]:
        """The call, queued on the device's stream; the clock waits for the end."""
        if self.mode is CudaMode.COMPILE:
            return compiled(call)
        module, args, kwargs = call.module.eval(), call.args, call.kwargs
        return lambda: module(*args, **kwargs)

    def discard(self, call: ModuleCall, /) -> None:
        """Nothing: torch's modules stay where they are."""

    def reference(self) -> Callable[[], object]:
        """Matrix products."""
        generator = torch.Generator("cuda").manual_seed(0)
        shape = (REFERENCE_SIZE, REFERENCE_SIZE)
        left, right = (torch.randn(shape, generator=generator, device="cuda").half() for _ in range(2))

        def multiply() -> None:
            for _ in range(REFERENCE_PRODUCTS):
                torch.mm(left, right)

        return multiply
