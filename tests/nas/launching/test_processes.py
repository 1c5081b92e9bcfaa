"""Processes that train together, as who started them sees it: done, stopped, failed, or lost."""

import os
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.launching.directory import TrainingDirectory
from nas.launching.launch import Launch
from nas.launching.news import Encoded, News
from nas.launching.on_this_machine import WorkerLostError, portable, train_in_processes
from nas.launching.stopping import Stopping
from nas.training.launching.fleet import Fleet
from nas.training.launching.settings import TrainingWorkers
from search_spaces.files.user_error import UserError
from tests import warm  # noqa: F401  processes begin warm


@dataclass(frozen=True)
class Work:
    """What the second of two processes does in the end; both say first that they are there."""

    then: str = "done"

    def __call__(self, fleet: Fleet, /, *, device: torch.device, desk: Any) -> bool:
        assert fleet.gathered([f"{fleet.rank}"]) == ["0", "1"]  # nobody leaves before all have come
        desk.tell(Encoded(num_done=fleet.rank, num=fleet.world))
        if fleet.rank == 0:
            return True
        if self.then == "fails":
            raise UserError("the pictures are broken")
        if self.then == "is killed":
            os._exit(9)
        return self.then == "done"


@dataclass
class Heard:
    """What is heard of a training of two processes."""

    folder: Path
    news: list[News] = field(default_factory=list)

    def train(self, then: str) -> bool:
        job = Launch(
            folder=TrainingDirectory(self.folder), identity={}, contents={}, workers=TrainingWorkers(num_workers=2),
            device="cpu", work=Work(then), section="training",
        )  # fmt: skip
        return train_in_processes(job, listen=self.news.append, stopping=Stopping())


@pytest.mark.parametrize("then", ["done", "stops"])
def test_all_are_heard_and_it_is_done_where_all_are(tmp_path: Path, then: str) -> None:
    heard = Heard(tmp_path)
    assert heard.train(then) == (then == "done")
    assert sorted(each.num_done for each in heard.news if isinstance(each, Encoded)) == [0, 1]


def test_an_error_of_one_is_raised_where_somebody_waits(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the pictures are broken"):
        Heard(tmp_path).train("fails")


def test_who_ends_without_a_word_is_named_with_what_helps(tmp_path: Path) -> None:
    words = r"process 1 of 2 that train ended without a word \(exit code 9\).*lower `training.batch_size`.*last state"
    with pytest.raises(WorkerLostError, match=words):
        Heard(tmp_path).train("is killed")


def test_an_error_that_cannot_travel_arrives_as_its_words() -> None:
    class LocalError(Exception):
        """Of no module, so that no other process knows it."""

    assert isinstance(pickle.loads(portable(UserError("words"))), UserError)
    found = pickle.loads(portable(LocalError("words")))
    assert type(found) is RuntimeError
    assert "LocalError: words" in str(found)


def test_what_workers_of_ray_leave_on_the_board_is_heard_once_and_the_first_error_stays() -> None:
    pytest.importorskip("ray.train")
    from nas.launching.on_ray import _Board

    board, news = _Board(), Encoded(num_done=1, num=2)
    assert not board.tell(news)
    assert board.heard() == ([news], None)
    assert board.heard() == ([], None)
    assert not board.has_failed()
    for error in (b"first", b"second"):
        board.fail(error)
    assert board.has_failed()
    board.stop()
    assert board.tell(news)
    assert board.heard() == ([news], b"first")
