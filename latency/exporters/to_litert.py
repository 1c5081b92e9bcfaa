"""LiteRT files (once TensorFlow Lite), for Android and microcontrollers.

litert-torch holds torch back and pulls in old versions of what others need: give it an environment of its own.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import diffusers
import torch
from torch import nn

from latency.exporters.extras import load_extra
from latency.exporters.formats import Converter, ModelFormat
from latency.exporters.quiet import quiet


class LitertExporter:
    """litert-torch's conversion.

    Raises:
        MissingExtraError: litert-torch is missing.
    """

    format = ModelFormat.LITERT
    suffix = ".tflite"

    def __init__(self) -> None:
        with quiet():
            self._litert = load_extra("litert_torch", extra="litert")

    @property
    def converter(self) -> Converter:
        """litert-torch."""
        return Converter(
            name="litert-torch",
            version=version("litert-torch"),
            torch=torch.__version__,
            diffusers=diffusers.__version__,
        )

    def write(self, module: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path, /) -> None:
        """Write one `.tflite` file, weights included."""
        with quiet():
            self._litert.convert(module, tuple(inputs.values())).export(str(path))
