"""Who works on a search: supernet, worker pool and trainer, for the time of a `with` block."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from nas.config.experiment import Experiment
from nas.runs.directory import EMBEDDED, RunDirectory
from nas.scores.store import ScoreStore
from nas.search.round_training import JobTrainer
from nas.workers.pool import WorkerPool, make_pool
from nas.workers.worker import load_supernet
from search_spaces.files.durable.disk import storage_errors
from search_spaces.files.durable.parts import sweep


def shared_store(folder: Path, /) -> ScoreStore:
    """A store that other runs use too, without what killed processes left in it."""
    store = ScoreStore(folder)
    sweep(folder)
    return store


def folder_for_captions(run: RunDirectory, /, *, store: Path | None) -> Path:
    """The folder in which workers share embedded captions, made where there is none: beside the scores.

    Args:
        run: The run.
        store: The folder of a score store that it shares with other runs, which then share these too.

    Raises:
        StorageError: The disk refuses.
    """
    folder = (run.path if store is None else store) / EMBEDDED
    with storage_errors(folder), suppress(FileExistsError):  # no folder: workers hold their captions, and say so
        folder.mkdir(exist_ok=True)
    return folder.resolve()  # actors work in other folders


@contextmanager
def staffed(
    experiment: Experiment,
    /,
    *,
    run: RunDirectory,
    log_folder: Path | None,
    on_start: Callable[[int, int], None],
    embedded: Path | None = None,
) -> Iterator[tuple[WorkerPool, JobTrainer]]:
    """Workers and a trainer that share a config's model, for the time of a `with` block.

    Args:
        experiment: Of what.
        run: Where the trainer keeps weights.
        log_folder: Where actors write their logs; None = nowhere.
        on_start: Called with (workers ready, workers in all) while they are waited for.
        embedded: Where they share embedded captions; None = each embeds all, and holds them.
    """
    supernet = load_supernet(experiment.worker, device=experiment.config.training_device)
    pool = make_pool(
        replace(experiment.worker, embedded=embedded),
        supernet=supernet,
        settings=experiment.config.workers,
        log_folder=log_folder,
        on_start=on_start,
    )
    with closing(pool):
        experiment.start.give_weights(supernet)  # now, since workers know the base model's weights and nothing else
        yield (
            pool,
            JobTrainer(
                experiment.config,
                model=experiment.worker.model,
                space=experiment.space,
                protected=experiment.problem.protected,
                supernet=supernet,
                start=experiment.start.give_weights,
                run=run,
            ),
        )
