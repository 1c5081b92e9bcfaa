"""Kill a search's workers, its driver and Ray at random, continue it, and compare its end with an undisturbed one's.

    python -m experiments.chaos --kills 20

The undisturbed search runs in one process, the others on two Ray actors. Runs follow each other until there were
enough kills; each must end with the same trace (clock times aside), spec, weights, pictures and exported UNet.
"""

import hashlib
import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from experiments.command import run
from search_spaces.shapes.__main__ import write_pictures

CONFIG = Path(__file__).with_suffix(".yaml")
KILLS_PER_RUN = 4
EXPORT_EVERY = 3  # so many searches, one is exported, and its export killed too


def main(
    kills: Annotated[int, typer.Option(min=1, help="kills in all")] = 20,
    out: Annotated[Path, typer.Option(help="folder of the runs; must be new or empty")] = Path("runs/chaos"),
    seed: Annotated[int, typer.Option(help="of the times and victims")] = 0,
) -> None:
    """Run searches until there were enough kills; exit code 1 when any differs from the undisturbed one."""
    console, rng = Console(), random.Random(seed)
    pictures = out / "pictures"
    if not pictures.exists():
        write_pictures(pictures, num=128, seed=0)
    undisturbed = out / "undisturbed"
    start = time.monotonic()
    for command in (search_command(undisturbed, out, num_workers=1), export_command(undisturbed)):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    patience_s = time.monotonic() - start
    expected, victims, num_runs = fingerprint(undisturbed), Counter[str](), 0
    while victims.total() < kills:
        run = out / f"run-{num_runs:02d}"
        victims += disturb(
            search_command(run, out, num_workers=2), rng, patience_s, min(KILLS_PER_RUN, kills - victims.total())
        )
        if num_runs % EXPORT_EVERY == 0:
            victims += disturb(export_command(run), rng, patience_s / 2, 1)
        found = fingerprint(run)
        due = {name for name in expected if (run / "export").exists() or not name.startswith("export/")}
        if wrong := sorted(name for name in due | found.keys() if expected.get(name) != found.get(name)):
            console.print(f"[red]{run} differs from {undisturbed}: {', '.join(wrong)}[/red]")
            raise typer.Exit(1)
        num_runs += 1
        console.print(f"{run}: equal after {victims.total()} kills so far: {dict(victims)}")
    console.print(f"{num_runs} searches, {victims.total()} kills ({dict(victims)}): all equal the undisturbed one")


def search_command(run: Path, out: Path, *, num_workers: int) -> list[str]:
    """The command line of a search."""
    settings = [f"robust_training.pictures={(out / 'pictures').resolve()}", "--num-workers", str(num_workers)]
    return [*nas_command(), "search", str(CONFIG), *settings, "--out", str(run)]


def export_command(run: Path) -> list[str]:
    """The command line of an export."""
    return [*nas_command(), "export", str(run)]


def nas_command() -> list[str]:
    """How `nas` is called."""
    return [sys.executable, "-P", "-c", "from nas.cli.app import main; main()"]


def disturb(command: list[str], rng: random.Random, patience_s: float, max_kills: int) -> Counter[str]:
    """Run a command to its end, killing it, a worker or Ray itself now and then; who was killed, how often."""
    victims = Counter[str]()
    while True:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as driver:
            may_die = False
            while driver.poll() is None:
                try:
                    driver.wait(rng.uniform(0.15, 0.5) * patience_s)
                except subprocess.TimeoutExpired:
                    if victims.total() < max_kills:
                        victim = _kill_one(driver, rng)
                        victims[victim] += 1
                        may_die |= victim != "worker"
            assert driver.stderr is not None
            errors = driver.stderr.read().decode()
        if driver.returncode and not may_die:
            raise RuntimeError(f"{' '.join(command)} failed with exit code {driver.returncode}:\n{errors}")
        if not driver.returncode:
            return victims


def _kill_one(driver: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kill a worker, one of Ray's own processes, or the driver; which of them it was."""
    families: dict[str, list[psutil.Process]] = {"driver": [psutil.Process(driver.pid)], "worker": [], "ray": []}
    for process in families["driver"][0].children(recursive=True):
        with suppress(psutil.Error):
            title = " ".join(process.cmdline())[:40]
            if title.startswith("ray::RayWorker"):
                families["worker"].append(process)
            elif title.startswith("ray::") or "raylet" in process.name() or "gcs_server" in process.name():
                families["ray"].append(process)
    victim = rng.choices(("worker", "driver", "ray"), weights=(5, 4, 1))[0]
    if not families[victim]:
        victim = "driver"
    with suppress(psutil.NoSuchProcess):
        rng.choice(sorted(families[victim], key=lambda process: process.pid)).kill()
    return victim


def fingerprint(run: Path) -> dict[str, str]:
    """Digests of everything that two equal searches share."""
    events = [json.loads(line) for line in (run / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    comparable = [{key: value for key, value in event.items() if key != "runtime"} for event in events]
    patterns = ("architecture.json", "checkpoints/*/*", "weights/*", "images/*", "export/unet/*")
    files = [path for pattern in patterns for path in sorted(run.glob(pattern))]
    digests = {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return digests | {"trace": hashlib.sha256(json.dumps(comparable).encode()).hexdigest()}


if __name__ == "__main__":
    run(main)
