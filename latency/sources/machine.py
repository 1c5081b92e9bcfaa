"""This machine, as settings have it measure: model, backend, protocol, and what must not change between prices."""

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from latency.backends.registry import make_backend
from latency.blocks.models import Attention, LatencyModel
from latency.pricing.scenario import Dtype
from latency.sources.kind import OnReport, silent
from search_spaces import UNetSpace, space_from_config
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from latency.backends.backend import Backend

DIGEST_LENGTH: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """Settings of live measurement.

    Attributes:
        model: Pipeline or `unet` folder of the base model, or a known name.
        cache: File of measured prices (JSON lines).
        backend: A backend of `nas latency measure`, or a plugin's.
        threads: Threads of its runtime on a CPU.
        provider: ONNX Runtime's execution provider or OpenVINO's device; None = the CPU.
        exports: Folder of exported models; None = in the user's cache folder.
        device_name: Name of this machine; "" = its processor.
        batch: Samples per forward pass.
        dtype: Of weights and activations.
        attention: Attention implementation.
        rounds: Rounds that measure an architecture, each beside the base model.
        seed: Of the inputs and the order.
        relative_error: Relative standard error of saved milliseconds. Shares of the base model from halves of the
            rounds differed by 1.0 and 1.8 % (`latency.measuring.calibrate`).
    """

    model: str
    cache: str = "live_latency.jsonl"
    backend: str = "torch-eager"
    threads: int = 1
    provider: str | None = None
    exports: str | None = None
    device_name: str = ""
    batch: int = 1
    dtype: Dtype = Dtype.FLOAT32
    attention: Attention = Attention.SDPA
    rounds: int = 10
    seed: int = 0
    relative_error: float = 0.02

    def __post_init__(self) -> None:
        wrong = [
            f"`{name}` must be at least {least}, but got {getattr(self, name)}"
            for name, least in (("threads", 1), ("batch", 1), ("rounds", 2))
            if getattr(self, name) < least
        ]
        if not 0 < self.relative_error < 1:
            wrong.append(f"`relative_error` must lie between 0 and 1, but got {self.relative_error}")
        if wrong:
            raise UserError("; ".join(wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendMaker:
    """Makes the backend of settings; unlike a backend it can be pickled."""

    settings: LiveSettings
    exports: Path | None

    def __call__(self) -> "Backend":
        """The backend."""
        s = self.settings
        return make_backend(s.backend, threads=s.threads, provider=s.provider, cache=self.exports)


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """This machine.

    Attributes:
        settings: How to measure.
        model: The base model.
        backend: Its runtime; made anew in every process that measures.
        cache: File of measured prices.
        on_report: Told before every measurement.
    """

    settings: LiveSettings
    model: LatencyModel
    backend: Callable[[], "Backend"]
    cache: Path
    on_report: OnReport = silent

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"on_report": silent}  # who listens is no part of what is told

    def conditions(self) -> dict[str, Any]:
        """What must not change when prices go together, as plain JSON."""
        from latency.backends.host import processor_of

        backend, s = self.backend(), self.settings
        processor = processor_of(backend.torch_device)
        return {
            "model": self.model.name,
            "geometry": _geometry_digest(space_from_config(self.model.config)),
            "device": {
                "name": s.device_name or processor,
                "soc": processor,
                "compute_unit": backend.compute_unit,
                "os": f"{platform.system()} {platform.machine()}",
                "host": platform.node(),
            },
            "runtime": asdict(backend.runtime) | {"options": dict(backend.runtime.options)},
            "protocol": {
                "clock": backend.clock.name,
                "reference": backend.reference_name,
                "rounds": s.rounds,
                "seed": s.seed,
                "batch": s.batch,
                "dtype": str(s.dtype),
                "attention": str(s.attention),
            },
        }


def geometry(space: UNetSpace) -> dict[str, Any]:
    """A space without what a search may choose: how many copies, and whether it is a stock space."""
    return asdict(replace(space, max_copies=0))


def _geometry_digest(space: UNetSpace) -> str:
    content = json.dumps(geometry(space), sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGEST_LENGTH]
