"""The steps of a training as one of its processes does them: told, recorded, stopped together, saved at the end."""

import os
import platform
from collections.abc import Callable
from contextlib import ExitStack

import torch

from nas.launching.news import Begun, Desk, Drawn, Encoded
from nas.launching.recording import Recorder
from nas.training.launching.fleet import Fleet
from nas.training.loop import StepDone, Training


class _Stopped(Exception):  # noqa: N818  no error
    """All processes leave the loop after the same step."""


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
