"""Searches in processes of their own, which can be killed at any durable write, as a power cut would."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.directory import RunDirectory
from nas.runs.records.lines import KINDS
from nas.runs.records.reading import read_records
from nas.runs.spec import FoundArchitecture
from nas.runs.trace import read_trace
from nas.search import driver
from nas.search.progress import Listeners, Progress
from nas.workers.worker import EvaluationResult, EvaluationTask
from tests.warm import exit_code as exit_code


def search(
    config: Path,
    out: Path,
    /,
    *,
    num_workers: int = 1,
    overrides: Sequence[str] = (),
    **callbacks: Any,
) -> FoundArchitecture:
    """What `nas search CONFIG OVERRIDES --out OUT` does, without words."""
    loaded = load_config(config, overrides=[f"workers.num_workers={num_workers}", *overrides])
    return driver.search(resolve(loaded), RunDirectory(out), listeners=Listeners(**callbacks))


def search_until_killed(config: Path, out: Path, num_writes: int) -> None:
    """A search that gets SIGKILL in the middle of its `num_writes`-th durable write."""
    left = num_writes

    def deadly(write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return write(*args, **kwargs)

        return counted

    os.replace, os.link, os.fsync = deadly(os.replace), deadly(os.link), deadly(os.fsync)
    search(config, out)


def search_until_training(config: Path, out: Path, round_number: int, *, overrides: Sequence[str] = ()) -> None:
    """A search that gets SIGKILL after the first training step of a round."""

    def on_progress(progress: Progress) -> None:
        if progress.phase != "scoring" and (progress.round, progress.done) == (round_number, 1):
            os.kill(os.getpid(), signal.SIGKILL)

    search(config, out, overrides=overrides, on_progress=on_progress)


class IdlePool:
    """A pool that must not be asked for anything."""

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None: ...

    def warm_up(self, task: EvaluationTask, /) -> None: ...

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        assert not tasks, "something was scored again"
        return iter(())

    def close(self) -> None: ...


def comparable_trace(run: Path, /) -> list[dict[str, Any]]:
    """The events of a run without what may differ between two runs of one search."""
    return [
        {key: value for key, value in event.items() if key != "runtime"} for event in read_trace(run / "trace.jsonl")
    ]


def same_result(one: Path, other: Path, /) -> None:
    """Two runs of one search must agree in all that it found and in every weight."""
    assert comparable_trace(one) == comparable_trace(other)
    assert (one / "architecture.json").read_bytes() == (other / "architecture.json").read_bytes()
    checkpoints = sorted((one / "checkpoints").iterdir())
    assert [c.name for c in checkpoints] == sorted(c.name for c in (other / "checkpoints").iterdir())
    for checkpoint in checkpoints:
        twin = other / "checkpoints" / checkpoint.name
        assert all((twin / each.name).read_bytes() == each.read_bytes() for each in checkpoint.iterdir())
    weights = sorted((one / "weights").glob("*.safetensors"))
    assert [w.name for w in weights] == sorted(w.name for w in (other / "weights").glob("*.safetensors"))
    assert all((other / "weights" / each.name).read_bytes() == each.read_bytes() for each in weights)


def same_records(one: Path, other: Path, /) -> None:
    """Two runs of one search must have noted the same work, whoever did it whenever, and kept the same small pictures.

    They are compared without the order, in which workers answer as they can.
    """
    for kind in KINDS:
        clocks = {"worker", "start", "end"}
        mine, theirs = (
            {json.dumps({key: row[key] for key in row if key not in clocks}) for row in read_records(run, kind).rows}
            for run in (one, other)
        )
        assert mine == theirs, kind.file
    samples, others = (
        {path.name: path.read_bytes() for path in (run / "scores").rglob("*.samples.parquet")} for run in (one, other)
    )
    assert samples == others


def read_json(path: Path, /) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def events_of(run: Path, name: str, /) -> list[dict[str, Any]]:
    """The events of a run that have a name, as its trace holds them."""
    return [event for event in read_trace(run / "trace.jsonl") if event["event"] == name]
