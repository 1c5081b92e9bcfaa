"""What each process of a training does: the same on one, on several of a machine, and on Ray's."""

import torch

from nas.evaluation.setting import ScoreSetting
from nas.launching.news import Desk
from nas.launching.recording import PromptSheets, Recorder, Recording
from nas.launching.steps import do_steps, open_pictures_of
from nas.pipelines.computing.execution import Execution
from nas.robust_training.job import TrainingJob
from nas.robust_training.result import write_result
from nas.scores.prompts import ValidationSet
from nas.training.launching.fleet import Fleet
from nas.training.loop import Training
from nas.training.making import make_objective
from nas.training.skipping.making import skip_strategy
from search_spaces.supernet import Supernet


def train_rank(job: TrainingJob, fleet: Fleet, /, *, device: torch.device, desk: Desk) -> bool:
    """Train, from the state where there is one; the first process writes the model when the last step is done.

    Args:
        job: What to train.
        fleet: Who trains together.
        device: What this process computes on.
        desk: Who is told; only the first process's is asked and told.

    Returns:
        Whether the training is done; it is not where somebody stopped it, and then its state stands.

    Raises:
        UserError: Broken pictures, a state of another training, or numbers that are no numbers any more.
        StorageError: The disk refuses.
    """
    torch.set_num_threads(job.config.num_threads)
    is_first, settings, search = fleet.rank == 0, job.config.robust_training, job.config.search
    supernet = Supernet(job.model.load_unet().to(device), space=job.space, copy_start=search.copy_start)
    job.start.give_weights(supernet)
    supernet.switch(job.start.architecture)
    data = open_pictures_of(settings, model=job.model, supernet=supernet, cache=job.pictures, fleet=fleet, desk=desk)
    training = Training(
        supernet,
        data=data,
        objective=make_objective(settings, model=job.model, scheduler=job.config.sampling.scheduler, supernet=supernet),
        strategy=skip_strategy(
            settings.skipping,
            space=job.space,
            architecture=job.start.architecture,
            protected=frozenset(search.protected),
        ),
        settings=settings,
        num_steps=settings.iterations,
        seed=1000 * job.config.seed,
        fleet=fleet,
        state=job.folder.state,
        origin=job.origin,
    )
    recording = Recording(
        folder=job.folder,
        batch_size=settings.batch_size,
        sample_every=settings.sample_every,
        tensorboard=job.tensorboard,
    )

    def record() -> Recorder:
        return Recorder(recording, training, sheets=_sheets(job, device) if job.prompts else None)

    if not do_steps(training, record=record, fleet=fleet, device=device, desk=desk):
        return False
    if is_first:
        write_result(job, supernet=supernet, training=training)
    return True


def _sheets(job: TrainingJob, device: torch.device) -> PromptSheets:
    space, config = job.space, job.config
    return PromptSheets(
        ScoreSetting(
            model=job.model,
            validation=ValidationSet.from_captions(list(job.prompts), seed=config.seed, chunk_size=len(job.prompts)),
            protocol=config.sampling,
            latent_shape=(space.in_channels, *space.sample_size),
            execution=Execution(device=str(device)),
        )
    )
