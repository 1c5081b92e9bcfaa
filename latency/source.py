"""The two doors of this package: what prices blocks, and what runs them.

`LatencySource` is what a search asks; `LatencyTable` is one, a fitted or analytical model of a device can be another.
`Backend` is what measuring asks; `latency.backends.torch_eager` is one. An importer needs no door: it reads a
profiler's files and returns a `LatencyTable`, one number per model file, with `Protocol.importer` and `sources` filled.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from latency.prediction import LatencyPrediction
from latency.scenario import Runtime
from latency.timing.clock import Clock
from search_spaces import BlockSignature, Site

if TYPE_CHECKING:
    from latency.blocks import ModuleCall


class LatencySource(Protocol):
    """Prices any architecture of a space."""

    @property
    def digest(self) -> str:
        """Digest of everything that predictions depend on."""
        ...

    def require(self, signatures: Iterable[BlockSignature], /) -> None:
        """Check that every signature can be priced.

        Raises:
            ValueError: Some cannot; the message lists all of them.
        """
        ...

    def predict(self, sites: Iterable[Site], /) -> LatencyPrediction:
        """Latency of one forward pass of the architecture that consists of `sites`."""
        ...


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
