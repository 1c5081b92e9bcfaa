"""Ray where it is found or started: guarded, left as it was, and refused soon where there is none."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import ray

import nas.workers.patience
import nas.workers.ray_cluster
import nas.workers.ray_pool
from nas.workers.ray_cluster import connect
from nas.workers.ray_errors import WorkersUnavailableError

ROOT = Path(__file__).parents[3]


GUARDED = """
import os, sys
from contextlib import closing
from pathlib import Path

import ray
from nas.workers.ray_pool import RayPool
from nas.workers.settings import WorkerSettings
from tests.nas.tiny_worker import TinySpec, TinyTask, TinyWorker

for _ in range(2):
    assert not ray.is_initialized()
    spec, settings = TinySpec(markers=Path(sys.argv[1])), WorkerSettings(num_workers=1)
    with closing(RayPool(spec, worker_class=TinyWorker, settings=settings)) as pool:
        results = pool.evaluate([TinyTask(number=number) for number in range(3)])
        assert sorted(result.square for result in results) == [0, 1, 4]
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert os.environ["RAY_AUTH_MODE"] == "token"
    assert not ray.is_initialized()
"""


def test_ray_is_started_on_this_machine_guarded_and_left(tmp_path: Path) -> None:
    """Twice in a process of its own: Ray reads its token once a process, and this one may have used Ray already."""
    theirs = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED")
    environment = {name: value for name, value in os.environ.items() if name not in theirs}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", GUARDED, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".ray").exists()


def test_a_ray_that_cannot_start_is_no_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray itself raises plain exceptions where its processes do not come up."""

    def init(**settings: Any) -> None:
        raise Exception("The current node timed out during startup.\nSee the logs")  # noqa: TRY002  as Ray does

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)  # other tests are still connected
    with pytest.raises(WorkersUnavailableError, match=r"cannot start on this machine: The current node .*/dev/shm"):
        connect(None)


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1:1", "no Ray answers"), ("no-such-host.invalid:6379", "no Ray answers"), ("ray://host", "host:port")],
)
def test_an_address_where_no_ray_is_fails_soon(address: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    start = time.monotonic()
    with pytest.raises(WorkersUnavailableError, match=words):
        connect(address)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silent", "a web server"])
def test_a_port_of_something_else_fails_soon(greeting: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(nas.workers.ray_cluster, "REACHABLE_WITHIN_S", 0.5)

    def serve_one() -> None:
        with server.accept()[0] as client:
            client.sendall(greeting)
            time.sleep(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve_one)
        thread.start()
        with pytest.raises(WorkersUnavailableError, match=r"no Ray answers at `address` 127\.0\.0\.1"):
            connect(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_a_greeting_in_pieces_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network may cut what a server says anywhere."""
    head = bytes((0, 0, 6, 4, 0, 0, 0, 0, 0))

    def serve_one() -> None:
        with server.accept()[0] as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.recv(1024)
            for byte in head:
                client.send(bytes((byte,)))
                time.sleep(0.01)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve_one)
        thread.start()
        nas.workers.ray_cluster.check_reachable(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
