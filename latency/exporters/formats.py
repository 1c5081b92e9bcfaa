"""The formats that blocks are exported to, and what writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import torch
from torch import nn


class ModelFormat(StrEnum):
    """Formats of model files."""

    ONNX = "onnx"
    EXECUTORCH = "executorch"
    COREML = "coreml"
    LITERT = "litert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Converter:
    """What made the model files.

    Attributes:
        name: Such as "torch.onnx.export".
        version: Version of the package that holds it.
        options: Its settings, as sorted (name, value) pairs; an object in JSON.
        torch: Version of torch that held the model.
        diffusers: Version of diffusers that built the model.
    """

    name: str
    version: str
    options: tuple[tuple[str, str], ...] = ()
    torch: str = ""
    diffusers: str = ""


class Exporter(Protocol):
    """Writes modules in one format."""

    @property
    def format(self) -> ModelFormat:
        """The format."""
        ...

    @property
    def suffix(self) -> str:
        """How names of its files end, with the dot."""
        ...

    @property
    def converter(self) -> Converter:
        """What converts, with versions and options."""
        ...

    def write(self, module: nn.Module, inputs: Mapping[str, torch.Tensor], path: Path, /) -> None:
        """Write a module that takes the inputs in their order and returns one tensor.

        Args:
            module: The module.
            inputs: Example inputs, whose shapes and types become the file's, by the names that they get in it.
            path: The file. Where the format keeps weights apart, they go beside it into files named after it.
        """
        ...
