"""The door of skipping: which sub-networks a training step trains."""

from dataclasses import dataclass
from typing import Any, Protocol

from search_spaces.architecture import Architecture


class SkipStrategy(Protocol):
    """Says which sub-networks a step trains; the seed and the step alone decide."""

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Architecture, ...]:
        """What step `step` of `num_steps` trains, all on the same batch; at least one."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """Skips nothing.

    Attributes:
        architecture: What every step trains; of a trainee that is no supernet, whatever it calls one.
    """

    architecture: Any

    def subnetworks(self, *, step: int, num_steps: int, seed: int) -> tuple[Any, ...]:
        """The architecture itself."""
        return (self.architecture,)
