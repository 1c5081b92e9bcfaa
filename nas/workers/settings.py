"""Who scores: how many workers, where, and with what of a machine."""

from typing import Annotated, Literal

from pydantic import Field

from nas.settings import settings


@settings
class WorkerSettings:
    """Who scores; never changes a result. One worker without an address is this process, others are Ray actors."""

    num_workers: Annotated[int, Field(ge=1, description="1 = in this process; more = Ray actors")] = 1
    address: Annotated[
        str | None,
        Field(description='"host:port" of a Ray cluster, "auto" for the one that runs here; null = start Ray here'),
    ] = None
    cpus_per_worker: Annotated[
        float, Field(gt=0, description="processors that Ray sets aside for each; a bookkeeping figure")
    ] = 1.0
    gpus_per_worker: Annotated[float, Field(ge=0, description="GPUs, or shares of one, for each")] = 0.0
    placement: Annotated[
        Literal["pack", "spread"], Field(description="pack fills one machine before the next, spread uses all evenly")
    ] = "pack"
    max_attempts: Annotated[
        int, Field(ge=1, description="failures in a row after which a task, or the start of a worker, is given up")
    ] = 3
    start_timeout_s: Annotated[
        float, Field(gt=0, description="seconds in which a worker must have loaded its models")
    ] = 300.0

    task_timeout_s: Annotated[
        float | None,
        Field(
            gt=0,
            description="seconds after which a worker that has not answered a task is replaced; null = 20 times the "
            "longest answer so far, and at least 600",
        ),
    ] = None

    @property
    def needs_ray(self) -> bool:
        """Whether workers are Ray actors; a single one without a cluster lives in the driver's process."""
        return self.num_workers > 1 or self.address is not None

    @property
    def resources_per_worker(self) -> dict[str, float]:
        """In Ray's words, without what is not needed."""
        gpus = {"GPU": self.gpus_per_worker} if self.gpus_per_worker else {}
        return {"CPU": self.cpus_per_worker, **gpus}
