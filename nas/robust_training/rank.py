"""What each process of a training does: the same on one, on several of a machine, and on Ray's."""

import os
import platform
import warnings
from contextlib import ExitStack

import torch

from nas.robust_training.job import TrainingJob
from nas.robust_training.news import Begun, Desk, Drawn, Encoded
from nas.robust_training.recording import Recorder
from nas.robust_training.result import write_result
from nas.training.fleet import Fleet
from nas.training.loop import StepDone, Training
from nas.training.making import make_objective, open_data
from nas.training.skipping.making import skip_strategy
from search_spaces.supernet import Supernet


class _Stopped(Exception):  # noqa: N818  no error
    """All processes leave the loop after the same step."""


def train_rank(job: TrainingJob, /, *, fleet: Fleet, device: torch.device, desk: Desk) -> bool:
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
    with warnings.catch_warnings():
        if not is_first:  # it is said once
            warnings.simplefilter("ignore")
        assert settings.pictures is not None, "the config asks for pictures when there are iterations"
        data = open_data(
            settings.pictures,
            settings=settings.data,
            model=job.model,
            supernet=supernet,
            cache=job.pictures,
            on_progress=lambda done, num: _encoded(desk, is_first, done, num),
        )
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
    stop = torch.zeros((), device=device)
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(job, training, device=device)) if is_first else None

        def on_step(done: StepDone) -> None:
            if recorder is not None:
                desk.tell(done)
                if (sheet := recorder.record(done)) is not None:
                    desk.tell(Drawn(path=sheet, step=done.step))
                stop.fill_(desk.is_stopped())
            fleet.average([stop])
            if stop and done.step < done.num_steps:
                raise _Stopped

        if recorder is not None:
            desk.tell(
                Begun(
                    num_done=training.num_done,
                    num_steps=training.num_steps,
                    process=os.getpid(),
                    host=platform.node(),
                )
            )
            if (sheet := recorder.begin()) is not None:
                desk.tell(Drawn(path=sheet, step=0))
        try:
            training.run(on_step=on_step)
        except _Stopped:
            training.save()
            return False
        training.save()
    if is_first:
        write_result(job, supernet=supernet, training=training)
    return True


def _encoded(desk: Desk, is_first: bool, done: int, num: int | None) -> None:
    if is_first:
        desk.tell(Encoded(num_done=done, num=num))
