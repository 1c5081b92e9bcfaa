"""The steps of a training as one of its processes does them: told, recorded, stopped together, saved at the end."""

import os
import platform
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

from nas.launching.news import Begun, Desk, Drawn, Encoded
from nas.launching.recording import Recorder
from nas.pipelines.model_folder import ModelFolder
from nas.training.data.batches import TrainingData
from nas.training.launching.fleet import Fleet
from nas.training.loop import StepDone, Training
from nas.training.making import open_data
from nas.training.settings import TrainingSettings
from search_spaces.supernet import Supernet


class _Stopped(Exception):  # noqa: N818  no error
    """All processes leave the loop after the same step."""


def open_pictures_of(
    settings: TrainingSettings, /, *, model: ModelFolder, supernet: Supernet, cache: Path, fleet: Fleet, desk: Desk
) -> TrainingData:
    """The pictures of a training, as `nas.training.making.open_data` opens them; what is odd is said by one process.

    Args:
        settings: Name the pictures.
        model: Its autoencoder and text encoders encode them.
        supernet: Its size and device.
        cache: Folder for what is encoded once.
        fleet: Who trains together.
        desk: Who is told how far the encoding is.
    """
    assert settings.pictures is not None, "the config asks for pictures where there are steps"
    with warnings.catch_warnings():
        if fleet.rank:
            warnings.simplefilter("ignore")
        return open_data(
            settings.pictures,
            settings=settings.data,
            model=model,
            supernet=supernet,
            cache=cache,
            on_progress=teller_of_encoding(desk, fleet),
        )


def do_steps(
    training: Training, /, *, record: Callable[[], Recorder], fleet: Fleet, device: torch.device, desk: Desk
) -> bool:
    """Do the steps that are left; the state of the last one stands.

    Args:
        training: Where it stands.
        record: Makes what writes down the steps; called by the first process alone.
        fleet: Who trains together.
        device: What this process computes on.
        desk: Who is told; only the first process's is asked and told.

    Returns:
        Whether all are done; they are not where somebody stopped it.

    Raises:
        UserError: Numbers that are no numbers any more.
        StorageError: The disk refuses.
    """
    stop = torch.zeros((), device=device)
    fleet.average([stop])  # all have read the state before the first one may be done and let it go
    with ExitStack() as stack:
        recorder = stack.enter_context(record()) if fleet.rank == 0 else None

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
    return True


def teller_of_encoding(desk: Desk, fleet: Fleet, /) -> Callable[[int, int | None], None]:
    """What tells how many pictures are encoded; the first process says it."""

    def tell(done: int, num: int | None) -> None:
        if fleet.rank == 0:
            desk.tell(Encoded(num_done=done, num=num))

    return tell
