"""Processes that train together, as who started them sees it: done, stopped, failed, or lost."""

import os
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.launching.directory import TrainingDirectory
from nas.launching.launch import Launch
from nas.launching.news import Begun, Encoded, News
from nas.launching.on_this_machine import WorkerLostError, portable, train_in_processes
from nas.launching.recording import Recorder, Recording
from nas.launching.steps import do_steps
from nas.launching.stopping import Stopping
from nas.training.denoising import Denoising
from nas.training.launching.fleet import ALONE, Fleet
from nas.training.launching.settings import TrainingWorkers
from nas.training.loop import Training
from nas.training.skipping.strategy import Whole
from search_spaces.files.user_error import UserError
from tests import warm  # noqa: F401  processes begin warm
from tests.nas.training.tiny import SCHEDULE, SETTINGS, supernet_of, tiny_pictures, tiny_unet


@dataclass(frozen=True)
class Work:
    """What two processes do in the end; the second one first says so late, if it does something of its own."""

    then: str = "done"
    first: str = "done"

    def __call__(self, fleet: Fleet, /, *, device: torch.device, desk: Any) -> bool:
        desk.tell(Encoded(num_done=fleet.rank, num=fleet.world))
        then = self.then if fleet.rank else self.first
        if fleet.rank and self.first != "done":
            time.sleep(0.3)  # so that the first one is heard first
        if then == "fails":
            raise UserError("the pictures are broken")
        if then == "is cut off":
            raise RuntimeError("Connection closed by peer")
        if then == "is killed":
            os._exit(9)
        return then == "done"


def two_steps(folder: TrainingDirectory, fleet: Fleet = ALONE) -> Training:
    supernet = supernet_of(tiny_unet())
    return Training(
        supernet, data=tiny_pictures(), objective=Denoising(schedule=SCHEDULE), settings=SETTINGS, num_steps=2, seed=0,
        strategy=Whole(supernet.architecture), fleet=fleet, state=folder.state,
    )  # fmt: skip


@dataclass(frozen=True)
class LateReader:
    """A training whose second process reads the state late, when the first one may be done."""

    folder: TrainingDirectory

    def __call__(self, fleet: Fleet, /, *, device: torch.device, desk: Any) -> bool:
        if fleet.rank:
            time.sleep(0.5)
        training = two_steps(self.folder, fleet)
        recording = Recording(folder=self.folder, batch_size=4, sample_every=0)
        recorder = Recorder(recording, training, sheets=None)
        done = do_steps(training, record=lambda: recorder, fleet=fleet, device=device, desk=desk)
        if fleet.rank == 0:
            self.folder.end({"num_steps": training.num_done})
        return done


@dataclass
class Heard:
    """What is heard of a training of two processes."""

    folder: Path
    news: list[News] = field(default_factory=list)

    def train(self, work: Any) -> bool:
        job = Launch(
            folder=TrainingDirectory(self.folder), identity={}, contents={}, workers=TrainingWorkers(num_workers=2),
            device="cpu", work=work, section="training",
        )  # fmt: skip
        return train_in_processes(job, listen=self.news.append, stopping=Stopping())


@pytest.mark.parametrize("then", ["done", "stops"])
def test_all_are_heard_and_it_is_done_where_all_are(tmp_path: Path, then: str) -> None:
    heard = Heard(tmp_path)
    assert heard.train(Work(then)) == (then == "done")
    assert sorted(each.num_done for each in heard.news if isinstance(each, Encoded)) == [0, 1]


def test_an_error_of_one_is_raised_where_somebody_waits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the pictures are broken"):
        Heard(tmp_path).train(Work("fails"))


def test_who_ends_without_a_word_is_named_with_what_helps(tmp_path: Path) -> None:
    words = r"process 1 of 2 that train ended without a word \(exit code 9\).*lower `training.batch_size`.*last state"
    with pytest.raises(WorkerLostError, match=words):
        Heard(tmp_path).train(Work("is killed"))


@pytest.mark.parametrize(
    ("then", "error", "words"),
    [
        ("fails", UserError, "the pictures are broken"),
        ("is killed", WorkerLostError, "process 1 of 2"),
        ("is cut off", RuntimeError, "closed by peer"),
    ],
)
def test_whose_connection_is_closed_is_not_taken_for_who_closed_it(
    tmp_path: Path, then: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        Heard(tmp_path).train(Work(then, first="is cut off"))
    assert type(caught.value) is error


def test_the_state_stays_until_all_have_read_it(tmp_path: Path) -> None:
    """A training that was killed after its last step and before its model stood goes on with no step left."""
    folder, heard = TrainingDirectory(tmp_path), Heard(tmp_path)
    training = two_steps(folder)
    training.run()
    training.save()
    assert heard.train(LateReader(folder))
    assert [each.num_done for each in heard.news if isinstance(each, Begun)] == [2]


def test_work_that_cannot_travel_is_named_and_nobody_waited_for(tmp_path: Path) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        Heard(tmp_path).train(lambda fleet, **_: True)


def test_an_error_that_cannot_travel_arrives_as_its_words() -> None:
    class LocalError(Exception):
        """Of no module, so that no other process knows it."""

    assert isinstance(pickle.loads(portable(UserError("words"))), UserError)
    found = pickle.loads(portable(LocalError("words")))
    assert type(found) is RuntimeError
    assert "LocalError: words" in str(found)
