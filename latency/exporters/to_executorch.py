"""ExecuTorch programs for its XNNPACK delegate, the one for CPUs."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import diffusers
import torch
from torch import nn

from latency.exporters.extras import load_extra
from latency.exporters.formats import Converter, ModelFormat
from latency.exporters.quiet import quiet


class ExecutorchExporter:
    """`torch.export`, then ExecuTorch's lowering with the XNNPACK partitioner.

    Raises:
        MissingExtraError: executorch is missing.
    """

    format = ModelFormat.EXECUTORCH
    suffix = ".pte"

    def __init__(self) -> None:
        with quiet():
            self._exir = load_extra("executorch.exir", extra="executorch")
            partitioner = "executorch.backends.xnnpack.partition.xnnpack_partitioner"
            self._partitioner = load_extra(partitioner, extra="executorch").XnnpackPartitioner

    @property
    def converter(self) -> Converter:
        """ExecuTorch and its delegate."""
        return Converter(
            name="executorch",
            version=version("executorch"),
            options=(("delegate", "xnnpack"),),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
        )

    def write(self, module: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path, /) -> None:
        """Write one `.pte` file, weights included."""
        with quiet():
            exported = torch.export.export(module, tuple(inputs.values()))
            lowered = self._exir.to_edge_transform_and_lower(exported, partitioner=[self._partitioner()])
            program = lowered.to_executorch()
        with path.open("wb") as file:
            program.write_to_file(file)
