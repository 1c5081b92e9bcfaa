"""Starting a training: in a directory that goes on, in this process, in several, or on Ray's."""

from nas.launching.launch import Launch
from nas.launching.news import Listener, News
from nas.launching.on_this_machine import train_here, train_in_processes
from nas.launching.stopping import Stopping
from nas.training.loop import StepDone


def launch(training: Launch, /, *, listen: Listener) -> bool:
    """Train, or go on, or find that all is done.

    Args:
        training: What to train.
        listen: Hears how it goes.

    Returns:
        Whether it is done; it is not where somebody stopped it, and then the same call goes on.

    Raises:
        UserError: As its work, or the directory is of another training.
        StorageError: The disk refuses; the same call goes on.
    """
    with training.folder.opened(training.identity, contents=training.contents), Stopping() as stopping:
        if training.folder.trained() is not None:
            return True

        def heard(news: News) -> None:
            stopping.is_stepping = stopping.is_stepping or isinstance(news, StepDone)
            listen(news)

        if training.workers.address is not None:
            from nas.launching.on_ray import train_on_ray

            return train_on_ray(training, listen=heard, stopping=stopping)
        if training.workers.num_workers > 1:
            return train_in_processes(training, listen=heard, stopping=stopping)
        return train_here(training, listen=heard, stopping=stopping)
