"""torch as it is, on the host's CPU: the backend that every machine has."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import diffusers
import torch

from latency.backends.host import HostCpu
from latency.blocks.modules import ModuleCall
from latency.pricing.scenario import Runtime


class TorchEager(HostCpu):
    """Modules called as they are."""

    @property
    def runtime(self) -> Runtime:
        """This torch with its thread count."""
        return Runtime(
            name="torch-eager",
            version=torch.__version__,
            torch=torch.__version__,
            diffusers=diffusers.__version__,
            options=(("threads", str(self.threads)),),
        )

    @contextmanager
    def session(self) -> Iterator[None]:
        """Inference mode and the number of threads; both as before afterwards."""
        with super().session(), torch.inference_mode():
            yield

    def prepare(self, call: ModuleCall, /) -> Callable[[], object]:
        """The call itself."""
        module, args, kwargs = call.module.eval(), call.args, call.kwargs
        return lambda: module(*args, **kwargs)
