"""Ray itself: what is asked of it, starting or joining it, and whether it has what is asked for.

Knows nothing of workers or tasks. Telemetry and dashboard stay off, and a Ray that is started here takes orders from
this process alone.
"""

import logging
import math
import os
import secrets
import socket
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any, Final

import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table

from nas.workers.ray_errors import WorkersUnavailableError
from nas.workers.settings import WorkerSettings

REACHABLE_WITHIN_S: Final = 10.0
# RFC 9113: a client greets (3.4), the server answers with a SETTINGS frame (6.5), whose head (4.1) has 9 bytes.
_HTTP2_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEAD_BYTES: Final = 9
_SETTINGS_FRAME: Final = b"\x04"


def connect(address: str | None, /) -> bool:
    """Join the Ray at an address, or start one on this machine.

    A Ray that this process has already started or joined is used as it is.

    Args:
        address: As in `WorkerSettings`.

    Returns:
        Whether this call made the connection, so that it is the caller's to end by `ray.shutdown()`.

    Raises:
        WorkersUnavailableError: There is no Ray at the address, or this process is connected to another one.
    """
    if ray.is_initialized():
        current = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", current):
            raise WorkersUnavailableError(
                f"`address` is {address}, but this process already uses the Ray at {current}; leave that one "
                "(`ray.shutdown()`), or name it"
            )
        return False
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        _guard_local_ray()
    elif address != "auto":
        check_reachable(address)
    try:
        # Ray puts the working directory, which may be a stranger's, before all else on the path of every worker; that
        # of the interpreter holds no modules.
        with chdir(Path(sys.executable).parent):
            ray.init(
                address=address or "local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
            )
    except Exception as error:  # Ray raises whatever its processes fail by: plain `Exception` where it cannot start
        ray.shutdown()
        if address is None:
            words = " ".join(str(error).split())[:500] or type(error).__name__
            raise WorkersUnavailableError(
                f"Ray cannot start on this machine: {words}; its logs lie in /tmp/ray/session_latest/logs. It needs "
                "memory, shared memory (/dev/shm) and room in /tmp: free some, or work without it (`num_workers` 1, "
                "no `address`)"
            ) from error
        raise WorkersUnavailableError(
            f"Ray at `address` {address} cannot be used: {error}; a cluster must run the same versions of Ray and "
            "Python, and this machine must belong to it (`ray status` shows it, `ray start --address=...` joins it)"
        ) from error
    return True


def _guard_local_ray() -> None:
    """Let only this process and its children command the Ray that it starts.

    Ray asks for a token by default, and would write it into the home folder; one in the environment serves as well. It
    stays there for the next Ray of this process, since Ray reads its token once a process.
    """
    if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def check_reachable(address: str) -> None:
    """Fail within seconds where Ray itself would try for minutes: Ray speaks gRPC, which is HTTP/2.

    Raises:
        WorkersUnavailableError: No host:port, or nothing there that speaks HTTP/2.
    """
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdecimal():
        raise WorkersUnavailableError(
            f"`address` must be host:port, as `ray start --head` prints it, or auto, but got {address!r}"
        )
    try:
        with socket.create_connection((host, int(port)), timeout=REACHABLE_WITHIN_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                connection.sendall(_HTTP2_GREETING)
                if _received(connection, _FRAME_HEAD_BYTES)[3:4] != _SETTINGS_FRAME:
                    raise ConnectionError("what listens there is not Ray")
    except (OSError, OverflowError) as error:
        raise WorkersUnavailableError(
            f"no Ray answers at `address` {address}: {error}; see on that machine whether Ray runs (`ray status`) "
            "and whether a firewall keeps its port shut, or leave `address` out to use this machine alone"
        ) from error


def _received(connection: socket.socket, num_bytes: int) -> bytes:
    """So many bytes, in however many pieces they come; fewer where no more come."""
    received = b""
    while len(received) < num_bytes and (piece := connection.recv(num_bytes - len(received))):
        received += piece
    return received


def check_capacity(settings: WorkerSettings, /) -> None:
    """Whether all workers could run at once if nobody else took anything.

    Raises:
        WorkersUnavailableError: They could not; the message names what every machine has.
    """
    needs = settings.resources_per_worker
    machines = [node for node in ray.nodes() if node["Alive"]]
    room = [
        min(math.floor(node["Resources"].get(kind, 0.0) / amount + 1e-6) for kind, amount in needs.items())
        for node in machines
    ]
    if sum(room) < settings.num_workers:
        have = "; ".join(f"{node['NodeManagerAddress']} has {_in_words(node['Resources'])}" for node in machines)
        raise WorkersUnavailableError(
            f"`num_workers` is {settings.num_workers} with {_in_words(needs)} each, but Ray has room for {sum(room)}: "
            f"{have}; ask for fewer workers, or for less with `cpus_per_worker` and `gpus_per_worker` (0.5 lets two "
            "workers share one)"
        )


def reserve(settings: WorkerSettings, /) -> PlacementGroup:
    """A place for every worker, taken as soon as all are free; lost places are looked for again by Ray."""
    bundles = [settings.resources_per_worker] * settings.num_workers
    places: PlacementGroup = placement_group(bundles, strategy=settings.placement.upper())
    return places


def is_reserved(places: PlacementGroup, /) -> bool:
    """Whether every place is there."""
    return bool(placement_group_table(places)["state"] == "CREATED")


def free_resources() -> str:
    """What nobody has taken, of what there is, in words."""
    return f"{_in_words(ray.available_resources())} free of {_in_words(ray.cluster_resources())}"


def _in_words(resources: dict[str, Any]) -> str:
    return f"{resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"
