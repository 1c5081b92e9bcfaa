"""One call that trains robustly without a search: from a config to a pipeline folder, in a directory that goes on."""

import sys
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from nas.config.loading import given_config
from nas.config.sections import ExperimentConfig
from nas.robust_training.job import TrainingJob, find_job
from nas.robust_training.news import Listener, News
from nas.robust_training.on_this_machine import train_here, train_in_processes
from nas.robust_training.stopping import Stopping
from nas.training.loop import StepDone
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
    if not train(job, listen=on_news or _say):
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
    with job.folder.opened(job.identity()), Stopping() as stopping:
        if job.folder.trained() is not None:
            return True

        def heard(news: News) -> None:
            stopping.is_stepping = stopping.is_stepping or isinstance(news, StepDone)
            listen(news)

        workers = job.config.robust_training.workers
        if workers.address is not None:
            from nas.robust_training.on_ray import train_on_ray

            return train_on_ray(job, listen=heard, stopping=stopping)
        if workers.num_workers > 1:
            return train_in_processes(job, listen=heard, stopping=stopping)
        return train_here(job, listen=heard, stopping=stopping)


def _say(news: News) -> None:
    """A line per tenth of the training."""
    if isinstance(news, StepDone) and news.step * 10 // news.num_steps > (news.step - 1) * 10 // news.num_steps:
        line = f"step {news.step:,} of {news.num_steps:,}: loss {news.loss:.4f}"
        print(line, file=sys.stderr, flush=True)  # noqa: T201  who waits is told
