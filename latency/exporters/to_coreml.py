"""Core ML packages; converting works on Linux too, running needs an Apple device."""

import copy
from collections.abc import Mapping
from pathlib import Path

import diffusers
import torch
from torch import nn

from latency.exporters.extras import load_extra
from latency.exporters.flat import OUTPUT
from latency.exporters.formats import Converter, ModelFormat
from latency.exporters.quiet import quiet

TARGET = "iOS17"  # and macOS 14


class CoremlExporter:
    """`torch.export`, then coremltools' conversion to an ML program of the module's precision.

    Raises:
        MissingExtraError: coremltools is missing.
    """

    format = ModelFormat.COREML
    suffix = ".mlpackage"

    def __init__(self) -> None:
        with quiet():
            self._ct = load_extra("coremltools", extra="coreml")

    @property
    def converter(self) -> Converter:
        """coremltools and the oldest system that the packages are for."""
        return Converter(
            name="coremltools",
            version=self._ct.__version__,
            options=(("minimum_deployment_target", TARGET),),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
        )

    def write(self, module: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path, /) -> None:
        """Write one `.mlpackage` folder."""
        precision = self._ct.precision.FLOAT32
        tensors = tuple(inputs.values())
        if any(parameter.dtype is torch.float16 for parameter in module.parameters()):
            precision = self._ct.precision.FLOAT16  # coremltools casts float32 programs itself
            module = copy.deepcopy(module).float()
            tensors = tuple(t.float() if t.is_floating_point() else t for t in tensors)
        with quiet():
            package = self._ct.convert(
                torch.export.export(module, tensors).run_decompositions({}),
                outputs=[self._ct.TensorType(name=OUTPUT)],
                compute_precision=precision,
                minimum_deployment_target=self._ct.target[TARGET],
                skip_model_load=True,
            )
            package.save(str(path))
