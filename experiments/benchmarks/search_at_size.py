"""A search at its full size by a fake evaluator, through the real driver: its seconds, files, bytes, and its resume.

    python -m experiments.benchmarks.search_at_size [FOLDER [NUM_PROMPTS [MAX_ROUNDS [CHUNK_SIZE]]]]

Workers answer at once with numbers made of digests; all else is what a search does: rounds of the algorithm, every
removal on every prompt, store, trace and records. By default 2,000 prompts, 5 rounds and chunks of 50 in
runs/benchmarks/search_at_size: a removal a round of the bundled model, whose base has 38; a whole search has 20 rounds.
It says the seconds of the driver per task, what lies on the disk, how long the finished run takes to be replayed, and
the frame of all scores to be made.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from unittest.mock import patch

import torch
import yaml

import nas.search.staff
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.directory import RunDirectory
from nas.runs.run import open_run
from nas.search import driver
from nas.search.progress import Listeners
from nas.workers.maker import made_by
from nas.workers.worker import EvaluationResult, EvaluationTask, WorkerSpec

MAKER: Final = made_by("cpu")


class InstantPool:
    """Answers at once: a number per prompt, of the digest of architecture and prompt."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec
        self.num_tasks = 0

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Nothing to load."""

    def warm_up(self, task: EvaluationTask, /) -> None:
        """Nothing to warm."""

    def evaluate(self, tasks: Sequence[EvaluationTask], /) -> Iterator[EvaluationResult]:
        """Each at once."""
        for task in tasks:
            self.num_tasks += 1
            prompts = self._spec.prompts(task.yardstick.prompts).chunk(task.chunk)
            text = f"{task.architecture.arch_id}|{task.chunk}"
            numbers = hashlib.shake_128(text.encode()).digest(2 * len(prompts))
            scores = tuple(int.from_bytes(numbers[2 * i : 2 * i + 2], "big") / 2**16 for i in range(len(prompts)))
            pictures = torch.zeros(len(prompts), 8, 8, 3, dtype=torch.uint8).numpy() if task.with_pictures else None
            yield EvaluationResult(
                task=task, scores=scores, seconds=0.0, worker="instant", pictures=pictures, made_by=MAKER
            )

    def close(self) -> None:
        """Nothing to close."""


def main() -> None:
    """Search, replay, and say what it took."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/benchmarks/search_at_size")
    num_prompts, max_rounds, chunk_size = (
        int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 2000), (3, 5), (4, 50))
    )
    shutil.rmtree(folder / "run", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    captions = "\n".join(f"a photograph of {i} things" for i in range(num_prompts))
    (folder / "captions.txt").write_text(captions, encoding="utf-8")
    config = {
        "model": "shapes", "clip": {"model": "shapes"}, "latency_table": "shapes_cpu_torch_eager",
        "validation": {"captions": "captions.txt", "num_prompts": num_prompts, "chunk_size": chunk_size},
        "sampling": {"num_steps": 1}, "racing": {"enabled": False}, "pictures": {"per_action": 0},
        "search": {"target_ratio": 0.2, "removals_per_round": 1, "max_rounds": max_rounds - 1},
    }  # fmt: skip
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    first = _searched(path, folder / "run")
    size = [file.stat() for file in (folder / "run" / "scores").rglob("*") if file.is_file()]
    print(f"{num_prompts} prompts, {max_rounds} rounds, chunks of {chunk_size}: {first[1]:,} tasks")
    print(f"search {first[0]:.1f} s, {1000 * first[0] / max(first[1], 1):.2f} ms of the driver a task")
    print(f"store {len(size):,} files, {sum(s.st_blocks for s in size) * 512 / 1e6:.0f} MB on the disk")
    again = _searched(path, folder / "run")
    assert again[1] == 0, "something was asked again"
    print(f"replay of the finished run {again[0]:.1f} s")
    start = time.perf_counter()
    rows = len(open_run(folder / "run").scores())
    print(f"frame of {rows:,} scores {time.perf_counter() - start:.1f} s")


def _searched(path: Path, out: Path) -> tuple[float, int]:
    """Seconds of a search once its model is loaded, and the tasks that it asked for."""
    pools: list[InstantPool] = []
    began = 0.0

    def make_pool(spec: WorkerSpec, /, **_: object) -> InstantPool:
        nonlocal began
        pools.append(InstantPool(spec))
        began = time.perf_counter()
        return pools[-1]

    experiment = resolve(load_config(path))
    with patch.object(nas.search.staff, "make_pool", make_pool):
        driver.search(experiment, RunDirectory(out), listeners=Listeners())
        return time.perf_counter() - began, pools[0].num_tasks


if __name__ == "__main__":
    main()
