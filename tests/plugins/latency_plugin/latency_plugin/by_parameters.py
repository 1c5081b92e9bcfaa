"""A source that prices by parameters alone: for a device that only ever waits for weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from latency import Latency, Scenario
from latency.sources import SourceKind
from latency.sources.kind import SourceContext
from search_spaces import Architecture, UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class ByParameters:
    """The source; it is its own settings."""

    model: str
    device: str
    ms_per_mparam: float
    relative_error: float = 0.1

    def __post_init__(self) -> None:
        if not self.ms_per_mparam > 0:
            raise ValueError(f"`ms_per_mparam` must be above 0, but got {self.ms_per_mparam}")

    @property
    def digest(self) -> str:
        return f"by-parameters {self.ms_per_mparam!r} {self.relative_error!r}"

    @property
    def scenario(self) -> Scenario:
        return Scenario(model=self.model, device=self.device)

    @property
    def distrust(self) -> str | None:
        return None

    def prices(self, space: UNetSpace, /, *, context_tokens: int) -> "ParameterPrices":
        return ParameterPrices(self, space)


class ParameterPrices:
    def __init__(self, source: ByParameters, space: UNetSpace) -> None:
        self._source, self._space = source, space
        self.relative_error = source.relative_error

    def __call__(self, architecture: Architecture, /) -> float:
        return self._source.ms_per_mparam * self._space.num_params(architecture) / 1e6

    def latency(self, architecture: Architecture, /) -> Latency:
        ms = self(architecture)
        return Latency(ms=ms, error_ms=self.relative_error * ms)

    def milliseconds(self, architectures: Sequence[Architecture], /) -> npt.NDArray[np.float64]:
        return np.asarray([self(architecture) for architecture in architectures], dtype=np.float64)


def make(settings: ByParameters, context: SourceContext) -> ByParameters:
    return settings


KIND = SourceKind(about="milliseconds per parameter", settings=ByParameters, make=make)
