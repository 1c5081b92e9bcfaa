"""A module whose inputs and output are tensors by position, as exporters want it."""

import inspect
from typing import Any, Final

import torch
from torch import nn

from latency.blocks.modules import ModuleCall

OUTPUT: Final = "output"  # name of the one output of every file


class FlatModule(nn.Module):
    """A call's module, taking the call's tensors one by one and returning its first tensor.

    Attributes:
        inputs: The call's tensors by the names that the module's `forward` gives them, in its order.
    """

    def __init__(self, call: ModuleCall, /) -> None:
        super().__init__()
        self.module = call.module
        self.inputs: dict[str, torch.Tensor] = {}
        self._nested: dict[str, tuple[str, ...]] = {}  # a dict of tensors becomes inputs named by its keys
        self._fixed: dict[str, Any] = {}
        for name, value in inspect.signature(call.module.forward).bind(*call.args, **call.kwargs).arguments.items():
            match value:
                case torch.Tensor():
                    self.inputs[name] = value
                case dict():
                    self.inputs |= value
                    self._nested[name] = tuple(value)
                case _:
                    self._fixed[name] = value

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """The module's first output."""
        named = dict(zip(self.inputs, tensors, strict=True))
        nested = {name: {key: named.pop(key) for key in keys} for name, keys in self._nested.items()}
        output = self.module(**named, **nested, **self._fixed)
        first: torch.Tensor = output[0] if isinstance(output, tuple) else output
        return first
