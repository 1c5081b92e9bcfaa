"""torch.compile on the host's CPU: every block compiled on its own, for its own shapes."""

from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import Any

import torch

from latency.backends.torch_eager import TorchEager
from latency.blocks.modules import ModuleCall
from latency.pricing.scenario import Runtime


class TorchCompile(TorchEager):
    """Torch as it is, every call compiled: preparing a block takes seconds, a whole UNet minutes."""

    enters_runtime = True

    @property
    def runtime(self) -> Runtime:
        """This torch with its thread count."""
        return replace(super().runtime, name="torch-compile", converter="inductor")

    def prepare(self, call: ModuleCall, /) -> Callable[[], object]:
        """The compiled call, having run once."""
        return compiled(call)


def compiled(call: ModuleCall, /) -> Callable[[], object]:
    """A module's call through `torch.compile`, having run once, which is when it compiles.

    Raises:
        torch._dynamo.exc.Unsupported: Something in it cannot be compiled; running it eagerly would be another number.
    """
    # Dynamo keeps compiled code by code object and gives up compiling after eight kinds of arguments of one. So every
    # module gets a code object of its own, and its call does not search through the others' entries.
    call_module = FunctionType(_call_module.__code__.replace(), globals())
    run: Callable[..., object] = torch.compile(call_module, fullgraph=True, dynamic=False)
    module, args, kwargs = call.module.eval(), call.args, call.kwargs
    run(module, args, kwargs)
    return lambda: run(module, args, kwargs)


def _call_module(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    return module(*args, **kwargs)
