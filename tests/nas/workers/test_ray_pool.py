"""The pool on real Ray with tiny workers: on a cluster of simulated machines, most of them sharing one start of Ray."""

import importlib.util
import logging
import os
import re
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import ray
import torch
from ray.cluster_utils import Cluster
from ray.exceptions import ActorUnavailableError

import nas.workers.patience
import nas.workers.ray_crew
import nas.workers.ray_pool
from nas.curves.asked.settings import EvaluationSettings
from nas.curves.evaluate import run_evaluation
from nas.evaluation.settings import ClipSettings
from nas.settings import SettingsError
from nas.workers.ray_actor import RayWorker
from nas.workers.ray_cluster import connect
from nas.workers.ray_errors import TaskFailedError, WorkersUnavailableError
from nas.workers.ray_pool import RayPool
from nas.workers.ray_weights import WeightsHistory
from nas.workers.settings import WorkerSettings
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR
from tests.folders import write_small_pipeline
from tests.nas.tiny_worker import TinyResult, TinySpec, TinyTask, TinyWorker
from tests.strangers import strangers_directory


class Clock:
    """In place of the module `time`."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s


STORE_BYTES = 100 * 2**20
MakePool = Callable[..., RayPool[TinyTask, TinyResult]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head with two processors, joined by this process from a stranger's directory; nodes come and go."""
    head = {"num_cpus": 2, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    with chdir(strangers_directory(tmp_path_factory.mktemp("ray") / "stranger")):
        assert connect(cluster.address)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def make_pool(cluster: Cluster, tmp_path: Path) -> Iterator[MakePool]:
    """Pools of tiny workers that end with the test."""
    pools = []

    def make(
        *,
        broken: bool = False,
        unfit: bool = False,
        slow_starts: tuple[float, ...] = (),
        held: bool = False,
        **kwargs: Any,
    ) -> Any:
        options = {key: kwargs.pop(key) for key in ("base_weights", "log_folder", "on_start") if key in kwargs}
        settings = WorkerSettings(**{"num_workers": 2, "cpus_per_worker": 0.5, "start_timeout_s": 300} | kwargs)
        spec = TinySpec(markers=tmp_path, broken=broken, unfit=unfit, slow_starts=slow_starts, held=held)
        pools.append(RayPool(spec, worker_class=TinyWorker, settings=settings, **options))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()
    assert ray.is_initialized(), "a Ray that a pool did not start is not its to end"


def test_workers_look_for_no_modules_in_the_working_directory(cluster: Cluster) -> None:
    def is_found() -> bool:
        return importlib.util.find_spec("planted") is not None

    assert not ray.get(ray.remote(num_cpus=0)(is_found).remote())


def test_an_evaluation_on_ray_is_that_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    """The one worker here that loads a model: it takes seconds to import what it draws with."""
    model = write_small_pipeline(tmp_path / "model")
    asked = EvaluationSettings(
        clip=ClipSettings(model=str(OPEN_CLIP_DIR)), captions=CAPTIONS_FILE, num_captions=3, steps=(1,),
        guidance=(1.0, 3.0), baselines=False, chunk_size=2,
    )  # fmt: skip
    on_ray = replace(asked, workers=WorkerSettings(address=cluster.address, cpus_per_worker=0.5))
    here = run_evaluation([model], settings=asked, out=tmp_path / "here")
    assert run_evaluation([model], settings=on_ray, out=tmp_path / "there") == here
    assert list((tmp_path / "there" / "logs").iterdir()), "a worker of Ray's drew"
    assert ray.is_initialized()


def tasks(num: int, /, **acts: int) -> list[TinyTask]:
    """Numbers 0 to num; `die=3` says that 3 does so once."""
    by_number = {number: act for act, number in acts.items()}
    return [
        TinyTask(number=n, act=by_number[n].replace("_", " "), times=1) if n in by_number else TinyTask(number=n)
        for n in range(num)
    ]


def meeting() -> list[TinyTask]:
    """Two tasks, numbered 3 and 4, each of which is done once another worker does the other."""
    return [TinyTask(number=number, act="meet", times=1) for number in (3, 4)]


def squares(results: Sequence[TinyResult], /) -> list[tuple[int, int]]:
    return sorted((result.number, result.square) for result in results)


def expected(num: int, /) -> list[tuple[int, int]]:
    return [(number, number**2) for number in range(num)]


def wait_until(condition: Callable[[], bool], /, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_alive(process: int, /) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_gone(process: int, /) -> bool:
    return not is_alive(process)


def test_another_ray_than_the_one_in_use_is_refused(cluster: Cluster) -> None:
    assert not connect(None)
    assert not connect(cluster.address)
    with pytest.raises(WorkersUnavailableError, match="already uses the Ray at"):
        connect("elsewhere:6379")


def test_settings_out_of_range_are_all_named() -> None:
    with pytest.raises(SettingsError) as error:
        WorkerSettings(num_workers=0, gpus_per_worker=-1)
    head, *problems = str(error.value).split("\n  ")
    assert head == "WorkerSettings has 2 problems:"
    assert problems == [
        "num_workers: must be greater than or equal to 1, but got 0",
        "gpus_per_worker: must be greater than or equal to 0, but got -1",
    ]


@pytest.mark.parametrize(
    "settings",
    [{"gpus_per_worker": 1}, {"num_workers": 3, "cpus_per_worker": 1}, {"num_workers": 2, "cpus_per_worker": 1.5}],
    ids=["gpus", "cpus", "cpus that no machine has alone"],
)
def test_more_than_there_is_names_what_there_is(settings: dict[str, Any], make_pool: MakePool) -> None:
    with pytest.raises(WorkersUnavailableError, match=r"has 2 CPUs and 0 GPUs; ask for fewer workers"):
        make_pool(**settings)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_any_number_of_workers_gives_every_result_once(num_workers: int, make_pool: MakePool) -> None:
    started: list[tuple[int, int]] = []
    pool = make_pool(num_workers=num_workers, on_start=lambda ready, total: started.append((ready, total)))
    assert squares(list(pool.evaluate(tasks(10)))) == expected(10)
    assert list(pool.evaluate([])) == []
    assert started[:2] == [(0, num_workers), (1, num_workers)]


def test_killed_workers_and_passing_errors_change_no_result(make_pool: MakePool) -> None:
    pool = make_pool(max_attempts=2)
    results = list(pool.evaluate([*tasks(8, die=2, **{"raise": 5}), TinyTask(number=8, act="die", times=1)]))
    assert squares(results) == expected(9)


def test_a_death_in_idleness_is_never_held_against_a_task(make_pool: MakePool) -> None:
    pool = make_pool(num_workers=3, max_attempts=1)
    for result in list(pool.evaluate([TinyTask(number=n, act="wait") for n in range(9)])):
        if is_alive(result.process):
            os.kill(result.process, signal.SIGKILL)
            wait_until(partial(is_gone, result.process))
    assert squares(list(pool.evaluate(tasks(5)))) == expected(5)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("raise", r"cannot square 7"),
        ("die", r"worker was lost; if it ran out of memory.* `validation.chunk_size`"),
        ("exhaust memory", r"(?s)MemoryError: 7 is too large.*ran out of memory: use fewer workers"),
    ],
)
def test_a_task_that_always_fails_ends_with_its_own_error(act: str, words: str, make_pool: MakePool) -> None:
    pool = make_pool(max_attempts=2)
    results: list[TinyResult] = []
    with pytest.raises(TaskFailedError, match=words) as caught:
        results.extend(pool.evaluate([*tasks(4), TinyTask(number=7, act=act)]))
    assert set(squares(results)) <= set(expected(4))
    assert len(results) >= 3, "what was there before the failure was handed out"
    assert caught.value.task == TinyTask(number=7, act=act)
    assert caught.value.num_attempts == 2
    assert ("_act" in caught.value.traceback) == (act != "die"), "an error brings its traceback"
    assert "\x1b" not in str(caught.value)
    assert squares(list(pool.evaluate(tasks(4)))) == expected(4), "the pool goes on"


def test_workers_that_cannot_be_made_end_with_their_error(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(num_workers=1, broken=True, max_attempts=2, log_folder=tmp_path / "logs")
    with pytest.raises(WorkersUnavailableError, match=r"(?s)failed to start 2 times.*FileNotFoundError: no model here"):
        list(pool.evaluate(tasks(1)))
    assert (tmp_path / "logs" / "worker-0.log").read_text().count("worker-0 could not start\nTraceback") == 2


def test_work_begins_before_the_last_worker_is_ready(make_pool: MakePool, tmp_path: Path) -> None:
    """One worker cannot get ready until the other has worked; then they meet."""
    stream = make_pool(held=True).evaluate([*tasks(3), *meeting()])
    alone = [next(stream) for _ in range(3)]
    TinySpec(markers=tmp_path).release()
    together = list(stream)
    assert squares([*alone, *together]) == expected(5)
    assert len({result.worker for result in alone}) == 1
    assert len({result.worker for result in together}) == 2


def test_a_stopped_worker_is_named_and_replaced(make_pool: MakePool, caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(nas.workers.patience, "NAMED_AFTER_S", 0.2)
    pool = make_pool(task_timeout_s=1, max_attempts=2)
    process = next(iter(pool.evaluate(tasks(1)))).process
    os.kill(process, signal.SIGSTOP)
    with caplog.at_level(logging.WARNING):
        results = list(pool.evaluate([TinyTask(number=n, act="wait", times=1) for n in range(8)]))
    assert squares(results) == expected(8)
    assert process not in {result.process for result in results}
    assert re.search(r"worker-\d has not answered for 0 s; it is replaced after 1 s", caplog.text)
    assert re.search(r"worker-\d is lost and replaced: it has not answered for 1 s", caplog.text)
    wait_until(partial(is_gone, process))


def test_a_task_that_never_ends_ends_the_search_with_what_helps(make_pool: MakePool) -> None:
    pool = make_pool(num_workers=1, task_timeout_s=0.5, max_attempts=2)
    with pytest.raises(TaskFailedError, match=r"(?s)failed 2 times.*not answered for .*raise `workers.task_timeout_s`"):
        list(pool.evaluate([*tasks(1), TinyTask(number=7, act="hang")]))


def test_a_worker_that_is_unfit_is_not_started_again(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(unfit=True, log_folder=tmp_path / "logs")
    with pytest.raises(WorkersUnavailableError, match=r"^worker-\d cannot work: no such device here$") as error:
        list(pool.evaluate(tasks(1)))
    name = str(error.value).split()[0]
    assert (tmp_path / "logs" / f"{name}.log").read_text().count(f"{name} starts") == 1


def test_a_warm_up_reaches_everyone_and_the_late_too(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(num_workers=3, slow_starts=(1.0,), log_folder=tmp_path / "logs")
    pool.warm_up(TinyTask(number=0, act="speak"))
    logs = [(tmp_path / "logs" / f"worker-{index}.log").read_text() for index in range(3)]
    assert [log.count("a printed line") for log in logs] == [1, 1, 1]
    pool.warm_up(TinyTask(number=1, act="die", times=1))
    assert squares(list(pool.evaluate(tasks(4)))) == expected(4)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The pool's clock, which stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr(nas.workers.ray_pool, "time", clock)
    monkeypatch.setattr(nas.workers.ray_crew, "time", clock)
    return clock


def test_a_worker_that_does_not_get_ready_in_time_is_an_error(make_pool: MakePool, clock: Clock) -> None:
    pool = make_pool(slow_starts=(3600.0,), start_timeout_s=300)
    stream = pool.evaluate([*tasks(3), TinyTask(number=3, act="hang")])
    assert next(stream).square == 0, "the worker that is ready works"
    clock.now_s = 299.9
    next(stream)
    clock.now_s = 300.0
    with pytest.raises(WorkersUnavailableError, match=r"1 of 2 workers are ready.*= 300 s: they are still loading"):
        list(stream)


def test_resources_that_others_hold_are_named(make_pool: MakePool) -> None:
    holder = make_pool(num_workers=1, cpus_per_worker=1.5)
    list(holder.evaluate(tasks(1)))
    pool = make_pool(num_workers=1, cpus_per_worker=1, start_timeout_s=1)
    with pytest.raises(WorkersUnavailableError, match=r"Ray has 0.5 CPUs and 0 GPUs free of 2 CPUs"):
        list(pool.evaluate(tasks(1)))


def test_only_what_changed_travels_and_a_fresh_worker_holds_all_of_it(make_pool: MakePool) -> None:
    weights = {"still": torch.ones(4), "moving": torch.zeros(3), "scalar": torch.tensor(5, dtype=torch.int64)}
    pool = make_pool(num_workers=1, base_weights=weights)
    pool.load_weights(weights)
    (result,) = pool.evaluate(tasks(1))
    assert result.updates == (), "fresh workers hold the base weights"

    weights["moving"] += 1
    pool.load_weights(weights)
    (result,) = pool.evaluate(tasks(1))
    assert list(result.updates) == [{"moving"}]
    weights["scalar"] += 1
    weights["born"] = torch.full((2, 2), 0.5).T
    pool.load_weights(weights)
    pool.load_weights(weights)
    (result,) = pool.evaluate(tasks(1))
    assert list(result.updates) == [{"moving"}, {"scalar", "born"}]
    assert result.weights == {"moving": 3.0, "scalar": 6.0, "born": 2.0}

    (fresh,) = pool.evaluate([TinyTask(number=0, act="die", times=1)])
    assert fresh.process != result.process
    assert fresh.weights == result.weights


def test_a_worker_that_lags_catches_up(make_pool: MakePool, tmp_path: Path) -> None:
    """One worker gets ready when the other has seen two versions of the weights."""
    pool = make_pool(held=True)
    for value in range(2):
        pool.load_weights({"a": torch.full((2,), float(value))})
        assert {result.weights["a"] for result in pool.evaluate(tasks(4))} == {2.0 * value}
    TinySpec(markers=tmp_path).release()
    pool.load_weights({"a": torch.full((2,), 2.0)})
    results = list(pool.evaluate(meeting()))
    assert {result.weights["a"] for result in results} == {4.0}
    assert {result.worker for result in results} == {"worker-0", "worker-1"}


def test_superseded_weights_leave_the_object_store(cluster: Cluster) -> None:
    history = WeightsHistory()
    for value in range(20):
        assert history.record({"large": torch.full((5 * 2**20,), float(value)), "small": torch.ones(2)}) == (
            {"large", "small"} if value == 0 else {"large"}
        )
        assert len(history.since(0)) <= 2, "20 MB each would not fit into the store"
    changes = [change for change in history.since(0) if "large" in change.names]
    assert [float(ray.get(change.arrays)["large"][0]) for change in changes][-1] == 19
    assert history.since(history.version) == ()


def test_each_worker_writes_its_own_log(make_pool: MakePool, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "logs"
    pool = make_pool(num_workers=1, log_folder=folder)
    list(pool.evaluate([TinyTask(number=1, act=act, times=1) for act in ("speak", "raise", "die")]))
    log = (folder / "worker-0.log").read_text(encoding="utf-8")
    assert log.count("worker-0 is ready") == 2, "the worker that took over appends"
    for words in ("a printed line", "a line from C", "UserWarning: a warning", "BrokenResultError: cannot square 1"):
        assert words in log
    assert all(line[:2] == "20" and line[4] == "-" for line in log.splitlines() if " ERROR " in line)


def test_a_folder_that_a_machine_does_not_see_costs_only_the_log(tmp_path: Path, caplog: Any, cluster: Cluster) -> None:
    path = tmp_path / "elsewhere" / "worker-0.log"
    with caplog.at_level(logging.WARNING):
        worker = RayWorker(TinyWorker, TinySpec(markers=tmp_path), name="worker-0", log_path=path)
    assert worker.evaluate(TinyTask(number=2), ()).square == 4
    assert "Ray's own logs stay the only ones" in caplog.text


def test_an_answer_after_a_presumed_loss_is_not_counted_twice(
    make_pool: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = make_pool()
    assert len(list(pool.evaluate(tasks(2)))) == 2
    real_get, lies = ray.get, [True]

    def lying_get(reference: Any) -> Any:
        answer = real_get(reference)
        if isinstance(answer, TinyResult) and lies:
            lies.pop()
            raise ActorUnavailableError("a cable was pulled", None)
        return answer

    monkeypatch.setattr(ray, "get", lying_get)
    assert squares(list(pool.evaluate(tasks(6)))) == expected(6)
    assert not lies


def test_a_dropped_evaluation_leaves_nothing_behind(make_pool: MakePool) -> None:
    pool = make_pool()
    stream = pool.evaluate([TinyTask(number=100 + n, act="wait", times=1) for n in range(6)])
    next(stream)
    with pytest.raises(RuntimeError, match="one evaluation at a time"):
        next(pool.evaluate(tasks(1)))
    cast(Generator[TinyResult, None, None], stream).close()
    assert squares(list(pool.evaluate(tasks(6)))) == expected(6)


def test_close_kills_even_the_busy_and_may_be_repeated(make_pool: MakePool) -> None:
    pool = make_pool()
    processes = {result.process for result in pool.evaluate(meeting())}
    assert len(processes) == 2
    stream = pool.evaluate([TinyTask(number=0), TinyTask(number=1, act="hang"), TinyTask(number=2, act="hang")])
    assert next(stream).square == 0
    pool.close()
    pool.close()
    wait_until(lambda: not any(map(is_alive, processes)))
    with pytest.raises(RuntimeError, match="closed in the middle"):
        next(stream)
    wait_until(lambda: ray.available_resources().get("CPU") == 2)


def test_a_machine_that_leaves_is_survived(cluster: Cluster, make_pool: MakePool) -> None:
    other = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    pool = make_pool(placement="spread", cpus_per_worker=1)
    pool.load_weights({"a": torch.ones(3)})
    stream = pool.evaluate([TinyTask(number=n, act="wait", times=1) for n in range(24)])
    results = []
    for result in stream:
        results.append(result)
        if len({result.node for result in results}) == 2 and other in cluster.worker_nodes:
            cluster.remove_node(other)
            num_before = len(results)
    assert num_before < 20
    assert squares(results) == expected(24)
    assert {result.weights["a"] for result in results} == {3.0}
    assert len({result.process for result in results}) >= 2
