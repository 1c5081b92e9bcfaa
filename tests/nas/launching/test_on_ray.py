"""Who waits for Ray's workers: what they leave on the board is heard, the first error raised, and lost ones counted.

What Ray Train itself does is seen in tests/nas/robust_training/test_train.py.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.launching.board import Board
from nas.launching.directory import TrainingDirectory
from nas.launching.launch import Launch
from nas.launching.news import Encoded, News
from nas.launching.on_this_machine import WorkerLostError, portable
from nas.launching.stopping import Stopping
from nas.training.launching.settings import TrainingWorkers
from search_spaces.files.user_error import UserError

pytest.importorskip("ray.train")
NEWS = Encoded(num_done=1, num=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray of this machine, for actors that need no processor of it."""
    import ray

    from nas.workers.ray_cluster import connect

    assert connect(None)
    yield
    ray.shutdown()


def test_what_is_left_on_the_board_is_heard_once_and_the_first_error_stays() -> None:
    board = Board()
    assert not board.tell(b"news")
    assert board.heard() == ([b"news"], None)
    assert board.heard() == ([], None)
    assert not board.has_failed()
    for error in (b"first", b"second"):
        board.fail(error)
    assert board.has_failed()
    board.stop()
    assert board.tell(b"news")
    assert board.heard() == ([b"news"], b"first")


@dataclass(frozen=True)
class Trainer:
    """What Ray Train is to who waits: `fit` returns when all is over."""

    fit: Callable[[], None]


def fitted(folder: Path, fit: Callable[[Any], None], *, stopping: Stopping, heard: list[News]) -> bool:
    import ray

    from nas.launching.on_ray import _fitted

    board = ray.remote(num_cpus=0)(Board).remote()
    job = Launch(
        folder=TrainingDirectory(folder), identity={}, contents={}, device="cpu", work=lambda *_, **__: True,
        workers=TrainingWorkers(num_workers=2, max_failures=4), section="training",
    )  # fmt: skip
    trainer: Any = Trainer(lambda: fit(board))
    return _fitted(job, trainer, board, listen=heard.append, stopping=stopping)


@pytest.mark.parametrize("is_done", [True, False])
def test_it_is_done_where_the_model_stands_and_stopped_where_it_was_asked_to(
    cluster: None, tmp_path: Path, is_done: bool
) -> None:
    stopping, heard, told = Stopping(), list[News](), list[bool]()
    stopping.asked = not is_done

    def fit(board: Any) -> None:
        import ray

        for _ in range(200):
            told.append(ray.get(board.tell.remote(pickle.dumps(NEWS))))
            if told[-1] or (is_done and len(told) == 3):
                break
        if is_done:
            TrainingDirectory(tmp_path).end({"num_steps": 3})

    assert fitted(tmp_path, fit, stopping=stopping, heard=heard) == is_done
    assert heard == [NEWS] * len(told)
    assert told[-1] != is_done


def test_a_worker_knows_from_its_last_news_whether_to_stop(cluster: None) -> None:
    import ray

    from nas.launching.on_ray import _RayDesk

    board: Any = ray.remote(num_cpus=0)(Board).remote()
    desk, seen = _RayDesk(board), list[bool]()
    for _ in range(2):
        seen.append(desk.is_stopped())
        ray.get(board.stop.remote())
        desk.tell(NEWS)
    assert [*seen, desk.is_stopped()] == [False, True, True]
    assert [pickle.loads(each) for each in ray.get(board.heard.remote())[0]] == [NEWS, NEWS]


def test_the_first_error_that_no_other_worker_would_mend_is_raised(cluster: None, tmp_path: Path) -> None:
    def fit(board: Any) -> None:
        import ray

        for words in ("the pictures are broken", "the connection is closed"):
            ray.get(board.fail.remote(portable(UserError(words))))

    with pytest.raises(UserError, match="the pictures are broken"):
        fitted(tmp_path, fit, stopping=Stopping(), heard=[])


def test_who_lost_too_many_workers_is_told_how_many_and_what_helps(cluster: None, tmp_path: Path) -> None:
    def fit(board: Any) -> None:
        from ray.train import TrainingFailedError

        raise TrainingFailedError("in short\nworker 1 died")

    words = r"given up after 4 losses.*`training.workers.max_failures`.*last state.*worker 1 died$"
    with pytest.raises(WorkerLostError, match=words):
        fitted(tmp_path, fit, stopping=Stopping(), heard=[])


def test_what_ray_itself_fails_by_is_raised_as_it_is(cluster: None, tmp_path: Path) -> None:
    def fit(board: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fitted(tmp_path, fit, stopping=Stopping(), heard=[])
