"""One call that trains robustly without a search: from a config to a pipeline folder, in a directory that goes on."""

from collections.abc import Sequence
from functools import partial
from os import PathLike
from pathlib import Path

from nas.config.loading import given_config
from nas.config.sections import ExperimentConfig
from nas.launching.launch import Launch
from nas.launching.news import Listener, say_tenths
from nas.launching.start import launch
from nas.robust_training.job import SECTION, TrainingJob, find_job
from nas.robust_training.rank import train_rank
from search_spaces.files.paths import local_path


def run_training(
    config: str | PathLike[str] | ExperimentConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: Sequence[str] = (),
    tensorboard: bool = False,
    on_news: Listener | None = None,
) -> Path:
    """Train an experiment's model robustly, or go on where an earlier call stopped; a line per tenth is said.

    Args:
        config: An experiment, or the path of its YAML file.
        out: Directory to train in; made when there is none.
        overrides: Settings to change, such as "robust_training.iterations=1000"; with a path only.
        tensorboard: Whether to write events for TensorBoard.
        on_news: Called with what happens, instead of saying lines; must be quick.

    Returns:
        The pipeline folder with the weights that were trained.

    Raises:
        ValueError: A config or something that it names breaks a law.
        StorageError: The disk refuses; the same call goes on.
        KeyboardInterrupt: It was stopped; the same call goes on.
    """
    config = given_config(config, overrides=overrides)
    job = find_job(config, local_path(out), tensorboard=tensorboard)
    if not train(job, listen=on_news or say_tenths):
        raise KeyboardInterrupt
    return job.folder.pipeline


def train(job: TrainingJob, /, *, listen: Listener) -> bool:
    """Train, or go on, or find that all is done.

    Args:
        job: What to train.
        listen: Hears how it goes.

    Returns:
        Whether it is done; it is not where somebody stopped it, and then the same call goes on.

    Raises:
        UserError: As `train_rank`, or the directory is of another training.
        StorageError: The disk refuses; the same call goes on.
    """
    return launch(
        Launch(
            folder=job.folder,
            identity=job.identity(),
            contents=job.contents,
            workers=job.config.robust_training.workers,
            device=job.config.training_device,
            work=partial(train_rank, job),
            section=SECTION,
        ),
        listen=listen,
    )
