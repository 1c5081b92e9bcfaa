"""A pool of several real workers in this process, each with a model of its own: what Ray's is, but for Ray.

Spec and tasks are pickled on their way as Ray pickles them, and of the weights only what changed travels. That Ray
itself loses nothing is the law of `test_ray_pool.py`, and of the chaos that a whole search goes through.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import torch

import nas.search.staff
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationResult, EvaluationTask, EvaluationWorker, WorkerSpec
from search_spaces.supernet import Supernet


class SpreadPool:
    """Workers that take tasks in turn.

    Args:
        spec: What each loads.
        base_weights: What each holds when it has loaded.
        num_workers: How many.
    """

    def __init__(self, spec: WorkerSpec, /, *, base_weights: Mapping[str, torch.Tensor], num_workers: int) -> None:
        luggage = pickle.dumps(spec)
        self._workers = [
            EvaluationWorker(pickle.loads(luggage), name=f"worker-{index}") for index in range(num_workers)
        ]
        self._held = {name: weight.clone() for name, weight in base_weights.items()}

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Send what differs from what was last sent."""
        changed = {
            name: weight.detach().clone()
            for name, weight in weights.items()
            if name not in self._held or not torch.equal(weight, self._held[name])
        }
        for worker in self._workers:
            worker.update_weights({name: weight.numpy() for name, weight in changed.items()})
        self._held |= changed

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        """The last task first: results may arrive in any order."""
        for number, task in enumerate(reversed(tasks)):
            worker = self._workers[number % len(self._workers)]
            yield pickle.loads(pickle.dumps(worker.evaluate(pickle.loads(pickle.dumps(task)))))

    def warm_up(self, task: EvaluationTask, /) -> None:
        for worker in self._workers:
            worker.evaluate(task)

    def close(self) -> None:
        self._workers.clear()


def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches have their `workers.num_workers` in this process."""

    def make_pool(
        spec: WorkerSpec,
        /,
        *,
        supernet: Supernet,
        settings: WorkerSettings,
        log_folder: Path | None,
        on_start: Callable[[int, int], None],
    ) -> SpreadPool:
        assert settings.needs_ray
        return SpreadPool(spec, base_weights=supernet.weights(), num_workers=settings.num_workers)

    monkeypatch.setattr(nas.search.staff, "make_pool", make_pool)
