"""Training on Ray Train's workers, which it replaces when they are lost; those go on from the state on disk.

Ray Train brings processes together and starts them anew; what they do is the training's work, what they go on from
is the state that stands in the directory, which all machines must see. There is nothing to restore in Ray: a later
process that trains in the same directory goes on in the same way.
"""

import pickle
import threading
from dataclasses import dataclass
from typing import Any, Final

import ray
import ray.train
from ray.exceptions import RayError
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from nas.launching.board import Board
from nas.launching.launch import Launch
from nas.launching.news import Listener, News
from nas.launching.on_this_machine import LISTEN_S, WorkerLostError, portable
from nas.launching.stopping import Stopping
from nas.training.launching.process_group import TIMEOUT, ProcessGroup
from nas.training.launching.settings import HERE
from nas.workers.ray_cluster import check_capacity, connect
from nas.workers.ray_errors import brief
from nas.workers.settings import WorkerSettings
from search_spaces.files.user_error import UserError

NAME: Final = "training"  # in Ray's own folder of records


@dataclass(slots=True)
class _RayDesk:
    """A worker's way to the board; it waits for no answer but that of the step before."""

    board: Any
    answer: Any = None

    def tell(self, news: News, /) -> None:
        """Leave news."""
        self.answer = self.board.tell.remote(pickle.dumps(news))

    def is_stopped(self) -> bool:
        """Whether the training is to stop, as the last answer says."""
        return self.answer is not None and bool(ray.get(self.answer))


def train_on_ray(job: Launch, /, *, listen: Listener, stopping: Stopping) -> bool:
    """Train on workers of a Ray cluster, or of a Ray that is started here.

    Raises:
        WorkersUnavailableError: There is no Ray at the address, or it has too little.
        WorkerLostError: More workers were lost than `max_failures` says; the state of the last save stands.
        Exception: Whatever the first of them raises, that another one would raise as well.
    """
    workers = job.workers
    owns_ray = connect(None if workers.address == HERE else workers.address)
    try:
        needs = WorkerSettings(
            num_workers=workers.num_workers,
            cpus_per_worker=workers.cpus_per_worker,
            gpus_per_worker=workers.gpus_per_worker,
        )
        check_capacity(needs)
        board: Any = ray.remote(num_cpus=0)(Board).remote()
        trainer = TorchTrainer(
            _work,
            train_loop_config={"job": job, "board": board},
            torch_config=TorchConfig(
                backend="nccl" if workers.gpus_per_worker else "gloo", timeout_s=int(TIMEOUT.total_seconds())
            ),
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers.num_workers,
                use_gpu=workers.gpus_per_worker > 0,
                resources_per_worker=needs.resources_per_worker,
            ),
            run_config=ray.train.RunConfig(
                name=NAME,
                storage_path=str(job.folder.path / "ray"),
                failure_config=ray.train.FailureConfig(max_failures=workers.max_failures),
            ),
        )
        return _fitted(job, trainer, board, listen=listen, stopping=stopping)
    except RayError as error:
        raise WorkerLostError(
            f"Ray ended or failed in the middle of the training ({brief(error)}); its logs lie in /tmp/ray on its head "
            "machine. The same command goes on from the last state"
        ) from error
    finally:
        if owns_ray:
            ray.shutdown()


def _fitted(job: Launch, trainer: TorchTrainer, board: Any, *, listen: Listener, stopping: Stopping) -> bool:
    """Let Ray Train work, in a thread that hears no signals, and hear what its workers say."""
    lost: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:  # raised again where somebody waits
            lost.append(error)

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    is_told, is_over = False, False
    while not is_over:
        is_over = not thread.is_alive()  # and then it is heard for the last time
        if stopping.asked and not is_told:
            is_told = True
            ray.get(board.stop.remote())
        news, error = ray.get(board.heard.remote())
        for each in news:
            listen(pickle.loads(each))  # noqa: S301  of our own worker
        if error is not None:
            raise pickle.loads(error)  # noqa: S301  of our own worker
        thread.join(LISTEN_S)
    if lost and not isinstance(lost[0], ray.train.TrainingFailedError):
        raise lost[0]
    if lost:
        raise WorkerLostError(
            f"training was given up after {job.workers.max_failures} losses of workers, which "
            f"is `{job.section}.workers.max_failures`; the same command goes on from the last state. The last loss: "
            f"{str(lost[0]).strip().splitlines()[-1]}"
        ) from lost[0]
    return job.folder.trained() is not None


def _work(config: dict[str, Any]) -> None:
    """What each of Ray's workers does."""
    job, board = config["job"], config["board"]
    if ray.get(board.has_failed.remote()):
        return  # it would fail again
    try:
        job.work(ProcessGroup.joined(), device=get_device(), desk=_RayDesk(board))
    except (UserError, OSError) as error:
        ray.get(board.fail.remote(portable(error)))
