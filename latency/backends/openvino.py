"""OpenVINO, on any of its devices, from ONNX files."""

from collections.abc import Callable
from typing import Any

import diffusers
import torch

from latency.backends.host import HostCpu, MatrixProducts
from latency.blocks.modules import ModuleCall
from latency.exporters.cache import ExportCache, described, read_by
from latency.exporters.extras import load_extra
from latency.exporters.flat import FlatModule
from latency.exporters.to_onnx import OnnxExporter
from latency.pricing.scenario import Runtime
from latency.timing.clock import ProcessCpuClock, WallClock
from search_spaces.files.user_error import UserError

CPU = "CPU"


class OpenVino(HostCpu):
    """Blocks read from ONNX files and compiled by OpenVINO, in float32 and one stream.

    Its work may be done on threads of its own: with one of them the CPU clock of the whole process sees it.

    Args:
        cache: Where exported blocks are kept.
        threads: Threads that it may use.
        device: By OpenVINO's name, such as "CPU", "GPU" or "NPU".

    Raises:
        MissingExtraError: OpenVINO or what exports to ONNX is missing.
        ValueError: OpenVINO sees no such device here, or fewer than one thread was asked for.
    """

    copies_weights = True
    enters_runtime = True

    def __init__(self, *, cache: ExportCache, threads: int = 1, device: str = CPU) -> None:
        super().__init__(threads=threads)
        self._ov = load_extra("openvino", extra="openvino")
        self._cache, self._exporter, self._core = cache, OnnxExporter(), self._ov.Core()
        if device not in (present := self._core.available_devices):
            raise UserError(f"`device` must be one that OpenVINO sees: {', '.join(present)}; got {device!r}")
        self.device, self.compute_unit = device, device.partition(".")[0].lower()
        if threads == 1 and device == CPU:
            self.clock = ProcessCpuClock()
        else:
            self.clock = WallClock()
        self._options = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "PERFORMANCE_HINT": "LATENCY"}
        if device == CPU:
            self._options["INFERENCE_NUM_THREADS"] = str(threads)

    @property
    def runtime(self) -> Runtime:
        """This OpenVINO, its device and properties, and the exporter."""
        return Runtime(
            name="openvino",
            version=self._ov.__version__,
            converter=described(self._exporter.converter),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=tuple(sorted((self._options | {"device": self.device}).items())),
        )

    def prepare(self, call: ModuleCall, /) -> Callable[[], Any]:
        """A request's inference, with its inputs in place; it returns the output's tensor."""
        path = self._cache.file_of(call, self._exporter)
        with read_by(f"OpenVINO {self._ov.__version__} on {self.device}", path):
            compiled = self._core.compile_model(self._core.read_model(path), self.device, self._options)
        request = compiled.create_infer_request()
        inputs = FlatModule(call).inputs
        for port in compiled.inputs:  # without those that the module does not read
            # A copy: a request does not keep memory alive that it shares with an array.
            request.set_tensor(port, self._ov.Tensor(inputs[port.any_name].numpy(), shared_memory=False))

        def run() -> Any:
            request.infer(share_outputs=True)
            return request.get_output_tensor(0)

        return run

    def discard(self, call: ModuleCall, /) -> None:
        """Delete the call's file."""
        self._cache.remove(call, self._exporter)

    def reference(self) -> Callable[[], object]:
        """Matrix products, by torch on the CPU, by OpenVINO on another device."""
        return super().reference() if self.device == CPU else self.prepare(MatrixProducts().call())
