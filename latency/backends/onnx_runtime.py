"""ONNX Runtime, on the host's CPU or through any other of its execution providers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import diffusers
import torch

from latency.backends.host import HostCpu, MatrixProducts
from latency.blocks.modules import ModuleCall
from latency.exporters.cache import ExportCache, described, read_by
from latency.exporters.extras import load_extra
from latency.exporters.flat import OUTPUT, FlatModule
from latency.exporters.to_onnx import OnnxExporter
from latency.pricing.scenario import Runtime
from latency.timing.clock import WallClock
from search_spaces.files.user_error import UserError

CPU = "CPUExecutionProvider"
# Providers whose tensors live on a device of their own, by ONNX Runtime's name of it; other providers use the host's.
TENSOR_DEVICES = {
    "CUDAExecutionProvider": "cuda",
    "TensorrtExecutionProvider": "cuda",
    "ROCMExecutionProvider": "cuda",
    "MIGraphXExecutionProvider": "cuda",
    "DmlExecutionProvider": "dml",
}


class OnnxRuntime(HostCpu):
    """Blocks as ONNX files, with all of ONNX Runtime's graph optimisations.

    With one thread the work is done on the calling thread, so that its CPU clock sees all of it. Other providers are
    timed by the wall clock, with inputs and outputs on their device.

    Args:
        cache: Where exported blocks are kept.
        threads: Threads within an operator; operators run one after the other.
        provider: Execution provider, by ONNX Runtime's name.

    Raises:
        MissingExtraError: ONNX Runtime or what exports to ONNX is missing.
        ValueError: This ONNX Runtime has no such provider, or fewer than one thread was asked for.
    """

    copies_weights = True
    enters_runtime = True

    def __init__(self, *, cache: ExportCache, threads: int = 1, provider: str = CPU) -> None:
        super().__init__(threads=threads)
        self._cache, self._exporter = cache, OnnxExporter()
        self._ort = load_extra("onnxruntime", extra="onnx")
        if provider not in (present := self._ort.get_available_providers()):
            raise UserError(f"`provider` must be one of this ONNX Runtime's: {', '.join(present)}; got {provider!r}")
        self.provider = provider
        if provider != CPU:
            self.clock, self.compute_unit = WallClock(), provider.removesuffix("ExecutionProvider").lower()

    @property
    def runtime(self) -> Runtime:
        """This ONNX Runtime, its provider and threads, and the exporter."""
        options = {"threads": str(self.threads), "provider": self.provider, "graph_optimization": "all"}
        if self.provider == CPU:
            options["arena"] = "shared"
        return Runtime(
            name="onnxruntime",
            version=self._ort.__version__,
            converter=described(self._exporter.converter),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=tuple(sorted(options.items())),
        )

    def prepare(self, call: ModuleCall, /) -> Callable[[], Any]:
        """A session's run, with inputs and output in place; it returns the output as ONNX Runtime's own value."""
        path = self._cache.file_of(call, self._exporter)
        options = self._ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        if self.provider == CPU:
            _share_arena(self._ort)
            options.add_session_config_entry("session.use_env_allocators", "1")
            options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
        with read_by(f"ONNX Runtime {self._ort.__version__}", path):
            session = self._ort.InferenceSession(path, options, providers=[self.provider])
        if session.get_providers()[0] != self.provider:
            raise UserError(
                f"blocks must run on {self.provider}, but ONNX Runtime fell back to {session.get_providers()[0]}; "
                "look at its log for the reason"
            )
        device, binding = TENSOR_DEVICES.get(self.provider, "cpu"), session.io_binding()
        inputs = FlatModule(call).inputs
        for node in session.get_inputs():  # without those that the module does not read
            value = self._ort.OrtValue.ortvalue_from_numpy(inputs[node.name].numpy(), device, 0)
            binding.bind_ortvalue_input(node.name, value)
        binding.bind_output(OUTPUT, device)

        def run() -> Any:
            session.run_with_iobinding(binding)
            return binding.get_outputs()[0]

        return run

    def discard(self, call: ModuleCall, /) -> None:
        """Delete the call's file."""
        self._cache.remove(call, self._exporter)

    def reference(self) -> Callable[[], object]:
        """Matrix products, by torch on the CPU, by ONNX Runtime on another device."""
        return super().reference() if self.provider == CPU else self.prepare(MatrixProducts().call())


@cache
def _share_arena(ort: Any, /) -> None:
    """One arena for the activations of all sessions of this process, which run one after the other.

    With its own, each would keep as much as it ever needed (1.1 GB of an attention at 64x64 latents). Without any, each
    call gets fresh pages from the operating system, which made that attention 45 % slower. In a whole model blocks
    share one, too. Weights stay outside: they are given back with their session.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(0, -1, -1, -1))
