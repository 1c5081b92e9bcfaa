"""A backend: torch as it is, whose outputs are copied, as a runtime with memory of its own would."""

from collections.abc import Callable
from dataclasses import replace

import torch

from latency.backends.backend import BackendKind, BackendSettings
from latency.backends.torch_eager import TorchEager
from latency.blocks.modules import ModuleCall
from latency.pricing.scenario import Runtime


class Copying(TorchEager):
    @property
    def runtime(self) -> Runtime:
        return replace(super().runtime, name="copying")

    def prepare(self, call: ModuleCall, /) -> Callable[[], torch.Tensor]:
        run = super().prepare(call)

        def copied() -> torch.Tensor:
            output = run()
            first = output[0] if isinstance(output, tuple) else output
            assert isinstance(first, torch.Tensor)
            return first.clone()

        return copied


def make(settings: BackendSettings) -> Copying:
    return Copying(threads=settings.threads)


KIND = BackendKind(about="torch eager whose outputs are copied", make=make)
