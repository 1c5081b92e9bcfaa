"""What is asked of Ray: how many workers, where, and with what."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """What is asked of Ray.

    Attributes:
        num_workers: Number of actors.
        address: "host:port" of a Ray cluster, or "auto" for the one that runs on this machine; None = start Ray here.
        cpus_per_worker: Processors that Ray sets aside for each; a bookkeeping figure, it may be a fraction.
        gpus_per_worker: GPUs, or shares of one, for each.
        placement: "pack" fills one machine before the next, "spread" uses all evenly.
        max_attempts: Failures in a row after which a task, or the start of a worker, is given up.
        start_timeout_s: A worker must answer for the first time so many seconds after it was asked for.

    Raises:
        ValueError: A number is out of its range; the message lists all that are.
    """

    num_workers: int
    address: str | None = None
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    placement: Literal["pack", "spread"] = "pack"
    max_attempts: int = 3
    start_timeout_s: float = 300.0

    def __post_init__(self) -> None:
        laws = {
            "num_workers": self.num_workers >= 1,
            "cpus_per_worker": self.cpus_per_worker > 0,
            "gpus_per_worker": self.gpus_per_worker >= 0,
            "max_attempts": self.max_attempts >= 1,
            "start_timeout_s": self.start_timeout_s > 0,
        }
        if broken := [f"`{name}` = {getattr(self, name)}" for name, kept in laws.items() if not kept]:
            raise ValueError(f"settings of Ray must be positive (GPUs may be 0), but got {', '.join(broken)}")

    @property
    def needs_ray(self) -> bool:
        """Whether workers are Ray actors; a single one without a cluster lives in the driver's process."""
        return self.num_workers > 1 or self.address is not None

    @property
    def resources_per_worker(self) -> dict[str, float]:
        """In Ray's words, without what is not needed."""
        gpus = {"GPU": self.gpus_per_worker} if self.gpus_per_worker else {}
        return {"CPU": self.cpus_per_worker, **gpus}
