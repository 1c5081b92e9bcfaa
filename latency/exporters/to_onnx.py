"""ONNX files by torch's own exporter, with static shapes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn

from latency.exporters.extras import load_extra
from latency.exporters.flat import OUTPUT
from latency.exporters.formats import Converter, ModelFormat
from latency.exporters.quiet import quiet

OPSET = 18  # the exporter's own; later ones are translated from it
MAX_INLINE_BYTES = 1_500_000_000  # a protobuf message ends at 2 GiB; weights beyond go to a file beside it


class OnnxExporter:
    """`torch.onnx.export` with `dynamo=True`.

    Raises:
        MissingExtraError: onnx or onnxscript are missing.
    """

    format = ModelFormat.ONNX
    suffix = ".onnx"

    def __init__(self) -> None:
        self._versions = {name: load_extra(name, extra="onnx").__version__ for name in ("onnx", "onnxscript")}

    @property
    def converter(self) -> Converter:
        """The exporter, its helpers and the operator set."""
        return Converter(
            name="torch.onnx.export",
            version=torch.__version__,
            options=(*self._versions.items(), ("opset", str(OPSET))),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
        )

    def write(self, module: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path, /) -> None:
        """Write one `.onnx` file, large weights to `<name>.data` beside it."""
        with quiet(), _operators_read_once():
            program = torch.onnx.export(
                module,
                tuple(inputs.values()),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(inputs),
                output_names=[OUTPUT],
            )
        assert program is not None
        for node in program.model.graph.all_nodes():
            node.metadata_props.clear()  # stack traces: half of a small file, and paths of this machine
        num_bytes = sum(p.numel() * p.element_size() for p in module.parameters())
        program.save(path, external_data=num_bytes > MAX_INLINE_BYTES)


@contextmanager
def _operators_read_once() -> Iterator[None]:
    """Let torch keep onnxscript's operators; else it parses their sources at every export, a third of a block's time.

    The place is torch's own affair: where it is not, torch does as it always does.
    """
    try:
        apis: Any = import_module("torch.onnx._internal._lazy_import").onnxscript_apis
        read = apis.get_torchlib_ops
    except (ImportError, AttributeError):
        yield
        return
    apis.get_torchlib_ops = lambda: _kept(read)
    try:
        yield
    finally:
        apis.get_torchlib_ops = read


@cache
def _kept(read: Callable[[], list[Any]], /) -> list[Any]:
    return read()
