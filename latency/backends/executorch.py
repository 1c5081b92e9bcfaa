"""ExecuTorch with its XNNPACK delegate, on the host's CPU: what runs on Android phones and on Macs as well."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import diffusers
import torch

from latency.backends.host import HostCpu
from latency.blocks.modules import ModuleCall
from latency.exporters.cache import ExportCache, described, read_by
from latency.exporters.extras import load_extra
from latency.exporters.flat import FlatModule
from latency.exporters.quiet import quiet
from latency.exporters.to_executorch import ExecutorchExporter
from latency.pricing.scenario import Runtime


class Executorch(HostCpu):
    """Blocks as `.pte` programs.

    The attention implementation matters: diffusers' default (scaled dot product) made a cross-attention six times
    slower here than its plain one. With one thread the work is done on the calling thread.

    Args:
        cache: Where exported blocks are kept.
        threads: Size of ExecuTorch's thread pool, which is as large as the machine unless it is set.

    Raises:
        MissingExtraError: ExecuTorch is missing.
        ValueError: Fewer than one thread was asked for.
    """

    copies_weights = True
    enters_runtime = True

    def __init__(self, *, cache: ExportCache, threads: int = 1) -> None:
        super().__init__(threads=threads)
        self._cache, self._exporter = cache, ExecutorchExporter()
        with quiet():
            self._loader = load_extra("executorch.runtime", extra="executorch").Runtime.get()
            self._bindings = load_extra("executorch.extension.pybindings.portable_lib", extra="executorch")
        self._programs: list[Any] = []  # methods do not keep their programs alive

    @property
    def runtime(self) -> Runtime:
        """This ExecuTorch with its delegate and thread count."""
        return Runtime(
            name="executorch",
            version=version("executorch"),
            converter=described(self._exporter.converter),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=(("delegate", "xnnpack"), ("threads", str(self.threads))),
        )

    @contextmanager
    def session(self) -> Iterator[None]:
        """No gradients, and the sizes of torch's and ExecuTorch's thread pools; as before afterwards."""
        before = self._bindings._threadpool_get_thread_count()
        self._bindings._unsafe_reset_threadpool(self.threads)
        try:
            with super().session():
                yield
        finally:
            self._bindings._unsafe_reset_threadpool(before)

    def prepare(self, call: ModuleCall, /) -> Callable[[], Any]:
        """A method's execution; it returns the output's tensor."""
        path, inputs = self._cache.file_of(call, self._exporter), tuple(FlatModule(call).inputs.values())
        with read_by(f"ExecuTorch {version('executorch')}", path):
            program = self._loader.load_program(path)
            method = program.load_method("forward")
        self._programs.append(program)
        return lambda: method.execute(inputs)[0]

    def discard(self, call: ModuleCall, /) -> None:
        """Delete the call's file."""
        self._cache.remove(call, self._exporter)
