"""Who trains: how many processes, and where."""

from typing import Annotated, Final

from pydantic import Field

from nas.settings import settings

HERE: Final = "local"


@settings
class TrainingWorkers:
    """Who trains in `nas train`; one process by default. Their number changes the order of sums and nothing else."""

    num_workers: Annotated[
        int, Field(ge=1, description="processes that share each step's pictures; on GPUs each has one of its own")
    ] = 1
    address: Annotated[
        str | None,
        Field(
            description='null = processes of this machine; "host:port" of a Ray cluster, "auto" for the one that runs '
            'here, "local" to start Ray here: Ray Train then replaces workers that are lost'
        ),
    ] = None
    cpus_per_worker: Annotated[
        float, Field(gt=0, description="processors that Ray sets aside for each; a bookkeeping figure")
    ] = 1.0
    gpus_per_worker: Annotated[float, Field(ge=0, description="GPUs that Ray sets aside for each")] = 0.0
    max_failures: Annotated[
        int, Field(ge=0, description="losses of workers on Ray after which the training is given up; the state stays")
    ] = 3
