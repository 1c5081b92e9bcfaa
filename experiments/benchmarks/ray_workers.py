"""What Ray's workers cost: start-up, an empty task, memory, and how much faster two of them are than one.

    python experiments/benchmarks/ray_workers.py

First pools of 1, 8 and 64 empty workers on one Ray: seconds until all are ready, milliseconds of a task that finds the
pool idle, and of a task among many. Then the bundled model: memory of its workers, and the same tasks on one and on two
workers in turn, by the clock and by processor time, which says what processors of their own would give where others
use this machine too. Every worker asks for a 64th of a processor, so that the figures show Ray and not a wait for room.
Memory is read from /proc: Linux only.
"""

import os
import statistics
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import ray

from nas.evaluation.registry import ScoreSpec
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.captions import read_captions
from nas.scores.prompts import ValidationSet
from nas.workers.ray_actor import ResultT, TaskT
from nas.workers.ray_cluster import connect
from nas.workers.ray_pool import RayPool
from nas.workers.settings import WorkerSettings
from nas.workers.worker import EvaluationTask, EvaluationWorker, WorkerSpec
from search_spaces.actions import CopyStart
from search_spaces.folders.loading import read_unet_config
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.unets.diffusers_config import space_from_config

POOL_SIZES = (1, 8, 64)
NUM_SINGLE_TASKS, NUM_EMPTY_TASKS = 50, 2000
NUM_CHUNKS, CHUNK_SIZE, NUM_ROUNDS = 8, 8, 7
PROTOCOL = SamplingProtocol(num_steps=5, guidance_scale=2.0)


class EmptyWorker:
    """Knows and does nothing."""

    def __init__(self, spec: None, /, *, name: str) -> None: ...

    def update_weights(self, changed: Mapping[str, Any], /) -> None:
        """Nothing to update."""

    def evaluate(self, task: int, /) -> int:
        """The task itself."""
        return task


class WeighedWorker:
    """An evaluation worker whose results are (process, RSS in MB, PSS in MB, processor seconds of the task)."""

    def __init__(self, spec: WorkerSpec, /, *, name: str) -> None:
        self._worker = EvaluationWorker(spec, name=name)

    def update_weights(self, changed: Mapping[str, Any], /) -> None:
        """As the worker does."""
        self._worker.update_weights(changed)

    def evaluate(self, task: EvaluationTask, /) -> tuple[int, float, float, float]:
        """Do the task, then weigh."""
        start = time.process_time()
        self._worker.evaluate(task)
        cpu_s = time.process_time() - start
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        kilobytes = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return os.getpid(), kilobytes["Rss"] / 1024, kilobytes["Pss"] / 1024, cpu_s


def main() -> None:
    """Measure and print."""
    start = time.perf_counter()
    connect(None)
    print(f"starting Ray: {time.perf_counter() - start:.1f} s")
    for num_workers in POOL_SIZES:
        measure_empty(num_workers)
    measure_model()
    ray.shutdown()


def settings(num_workers: int) -> WorkerSettings:
    return WorkerSettings(num_workers=num_workers, cpus_per_worker=1 / 64)


def measure_empty(num_workers: int) -> None:
    ready: list[float] = []
    start = time.perf_counter()
    with closing(
        RayPool(
            None,
            worker_class=EmptyWorker,
            settings=settings(num_workers),
            on_start=lambda num_ready, _: ready.append(time.perf_counter() - start) if num_ready else None,
        )
    ) as pool:
        task = 0
        while len(ready) < num_workers:
            list(pool.evaluate([task]))
        single_s = [seconds(pool, [task]) for _ in range(NUM_SINGLE_TASKS)]
        among_many_s = seconds(pool, [task] * NUM_EMPTY_TASKS) / NUM_EMPTY_TASKS
    print(
        f"{num_workers:2} empty workers: first ready after {ready[0]:5.2f} s, all after {ready[-1]:5.2f} s; empty task "
        f"{statistics.median(single_s) * 1000:5.2f} ms alone, {among_many_s * 1000:5.2f} ms among {NUM_EMPTY_TASKS}"
    )


def measure_model() -> None:
    space = space_from_config(read_unet_config(PIPELINE_DIR))
    captions = read_captions(PIPELINE_DIR.parent / "validation_captions.txt", num=CHUNK_SIZE)
    spec = WorkerSpec(
        model=ModelFolder(PIPELINE_DIR),
        score=ScoreSpec(name="clip", settings={"model": str(OPEN_CLIP_DIR)}),
        validation=ValidationSet.from_captions(captions, seed=0, chunk_size=CHUNK_SIZE),
        protocol=PROTOCOL,
        latent_size=space.sample_size,
        max_copies=2,
        copy_start=CopyStart.NEUTRAL,
        num_threads=1,
    )
    tasks = [EvaluationTask(architecture=space.base, chunk=0)] * NUM_CHUNKS
    start = time.perf_counter()
    with (
        closing(RayPool(spec, worker_class=WeighedWorker, settings=settings(1))) as one,
        closing(RayPool(spec, worker_class=WeighedWorker, settings=settings(2))) as two,
    ):
        memory_mb: dict[int, tuple[float, float]] = {}
        while len(memory_mb) < 3:
            for process, rss_mb, pss_mb, _ in [*one.evaluate(tasks[:1]), *two.evaluate(tasks[:4])]:
                memory_mb[process] = rss_mb, pss_mb
        print(f"three evaluation workers on the bundled model: at work after {time.perf_counter() - start:.1f} s")
        for process, (rss_mb, pss_mb) in sorted(memory_mb.items()):
            print(f"  process {process}: RSS {rss_mb:.0f} MB, of which its share (PSS) {pss_mb:.0f} MB")
        rounds = [(timed(one, tasks), timed(two, tasks)) for _ in range(NUM_ROUNDS)]
    (one_s, one_cpu_s), (two_s, two_cpu_s) = (
        [statistics.median(column) for column in zip(*results, strict=True)] for results in zip(*rounds, strict=True)
    )
    ratios = sorted(alone[0] / together[0] for alone, together in rounds)
    print(
        f"{NUM_CHUNKS} tasks of {CHUNK_SIZE} pictures: {one_s:.2f} s on one worker, {two_s:.2f} s on two, "
        f"{statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f} in {NUM_ROUNDS} rounds); "
        f"processor time per task {one_cpu_s:.3f} s and {two_cpu_s:.3f} s"
    )


def timed(pool: RayPool[EvaluationTask, tuple[int, float, float, float]], tasks: list[EvaluationTask]) -> list[float]:
    """Wall time of an evaluation, and the workers' processor time per task, in seconds."""
    start = time.perf_counter()
    cpu_s = [result[-1] for result in pool.evaluate(tasks)]
    return [time.perf_counter() - start, statistics.mean(cpu_s)]


def seconds(pool: RayPool[TaskT, ResultT], tasks: list[TaskT], /) -> float:
    """Wall time of an evaluation."""
    start = time.perf_counter()
    for _ in pool.evaluate(tasks):
        pass
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
