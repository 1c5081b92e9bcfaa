"""Who works on a search: supernet, worker pool and trainer, for the time of a `with` block."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from nas.config.experiment import Experiment
from nas.runs.directory import RunDirectory
from nas.scores.store import ScoreStore
from nas.search.round_training import JobTrainer
from nas.workers.pool import WorkerPool, make_pool
from nas.workers.worker import load_supernet
from search_spaces.files.durable.parts import sweep


def shared_store(folder: Path, /) -> ScoreStore:
    """A store that other runs use too, without what killed processes left in it."""
    store = ScoreStore(folder)
    sweep(folder)
    return store


@contextmanager
def staffed(
    experiment: Experiment, /, *, run: RunDirectory, log_folder: Path | None, on_start: Callable[[int, int], None]
) -> Iterator[tuple[WorkerPool, JobTrainer]]:
    """Workers and a trainer that share a config's model, for the time of a `with` block."""
    supernet = load_supernet(experiment.worker, device=experiment.config.training_device)
    pool = make_pool(
        experiment.worker,
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
