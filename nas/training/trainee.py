"""The door of what is trained: a module, and the architectures that it can compute. A supernet is one."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import nn


class Trainee(Protocol):
    """A module under training; what architectures are is its own business and that of a strategy of skipping."""

    @property
    def module(self) -> Any:
        """A diffusers model."""
        ...

    @property
    def architecture(self) -> Any:
        """What the module computes now; has an `arch_id`, and `positions()` with the blocks that may be skipped."""
        ...

    def switch(self, architecture: Any, /) -> None:
        """Make the module compute another architecture."""
        ...

    def switched(self, architecture: Any, /) -> AbstractContextManager[Any]:
        """The module computing an architecture for the time of a `with` block."""
        ...

    def all_parameters(self) -> list[nn.Parameter]:
        """The parameters of whatever it can compute."""
        ...

    def named_parameters(self, architecture: Any, /) -> dict[str, nn.Parameter]:
        """The parameters of an architecture that are trained, by name."""
        ...
