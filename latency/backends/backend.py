"""The door of measuring: what runs modules in one runtime on one device."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from latency.pricing.scenario import Runtime
from latency.timing.clock import Clock

if TYPE_CHECKING:
    from latency.blocks.modules import ModuleCall


class Backend(Protocol):
    """Runs modules in one runtime on one device."""

    @property
    def runtime(self) -> Runtime:
        """Name, version and options, as the table records them."""
        ...

    @property
    def clock(self) -> Clock:
        """The clock that sees this runtime's work."""
        ...

    @property
    def compute_unit(self) -> str:
        """Unit of the device that runs the modules: "cpu", "gpu", "npu"."""
        ...

    @property
    def torch_device(self) -> str:
        """torch's device on which modules and arguments must lie when they are prepared: "cpu", "cuda"."""
        ...

    @property
    def copies_weights(self) -> bool:
        """Whether every prepared call holds weights of its own, not those of its module."""
        ...

    @property
    def enters_runtime(self) -> bool:
        """Whether every prepared call enters a runtime, which costs time that a whole model pays once."""
        ...

    @property
    def reference_name(self) -> str:
        """Description of the reference kernel, as the table records it."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """Settings of the process that must hold while anything is measured."""
        ...

    def prepare(self, call: "ModuleCall", /) -> Callable[[], object]:
        """Something that executes a module's call once and returns when the work is done."""
        ...

    def discard(self, call: "ModuleCall", /) -> None:
        """Delete what preparing a call left on the disk, if anything: for large calls that will not come again."""
        ...

    def reference(self) -> Callable[[], object]:
        """A fixed piece of work, the same in every run, that slows down when the machine does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSettings:
    """What a backend is made with.

    Attributes:
        threads: Threads of its runtime on a CPU.
        provider: Which of its runtime's devices; None = the CPU.
        cache: Folder of exported blocks; None = in the user's cache folder.
    """

    threads: int = 1
    provider: str | None = None
    cache: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendKind:
    """What stands behind a name of the door `latency.backends`.

    Attributes:
        about: What it is, in a line.
        make: The backend; may raise a `ValueError` for a missing package or device.
        has_threads: Whether `threads` is a setting of it.
        has_provider: Whether `provider` is a setting of it.
    """

    about: str
    make: Callable[[BackendSettings], Backend]
    has_threads: bool = True
    has_provider: bool = False
