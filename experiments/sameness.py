"""Does every algorithm, and a sweep, end the same whoever is killed and however many work? One command shows it.

    python -m experiments.sameness algorithms [NAME...]    undisturbed, killed twice, on two Ray actors
    python -m experiments.sameness sweep                   a sweep of 8 trials: undisturbed, and killed twice

A process is killed (SIGKILL, with all that it started) when its trace has a third, and again when it has two thirds,
of the undisturbed one's events; a sweep when it has finished two, and again five trials. All are forked from one
process that has imported the libraries, which was most of what each took. What must be equal: traces (clock times
aside), specs, weights, pictures; of a sweep its table (hours aside) and the same of every trial.
"""

import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, Final

import pandas as pd
import typer
import yaml
from rich.console import Console

from experiments.chaos import fingerprint
from nas.cli.app import app as nas
from nas.cli.screen.errors import TARGET_MISSED
from nas.config.algorithms import OURS
from search_spaces.shapes.__main__ import write_pictures

HERE: Final = Path(__file__).resolve().parent
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {  # of each algorithm: several batches, in seconds
    "evolving": {"removals_per_round": 4, "max_copies": 1, "overshoot": True},
    "knapsack": {"num_evaluations": 6, "batch_size": 3, "num_checks": 2},
    "handpicked": {},
    "uniform": {"num_evaluations": 4, "batch_size": 2},
    "regularized_evolution": {"num_evaluations": 9, "batch_size": 3, "population_size": 4, "sample_size": 2},
    "optuna_search": {"num_evaluations": 9, "batch_size": 3, "num_startup": 3, "objective": "front"},
}
OTHERS: Final = {"num_evaluations": 9, "batch_size": 3}
WITHOUT: Final = ("rerank",)  # ranks what another run found
ENDED: Final = "trials/*/architecture.json"
PATIENCE_S: Final = 900.0
LIBRARIES: Final = (  # what a search imports once it is told to begin
    "open_clip", "transformers.models.clip", "diffusers.models.unets.unet_2d_condition", "nas.cli.search",
    "diffusers.models.autoencoders.autoencoder_kl", "diffusers.schedulers.scheduling_ddim", "nas.training.loop",
)  # fmt: skip
app = typer.Typer(help=__doc__, no_args_is_help=True)
Out = Annotated[Path, typer.Option(help="folder of the runs; must be new or empty")]


@app.command()
def algorithms(
    names: Annotated[list[str] | None, typer.Argument(help="of algorithms (default: all)", show_default=False)] = None,
    out: Out = Path("runs/sameness/algorithms"),
) -> None:
    """Algorithms of ours: killed twice and continued, and on two actors, against undisturbed in one process."""
    console, wrong, known = Console(), list[str](), sorted(OURS.keys() - set(WITHOUT))
    if strangers := sorted({*(names or [])} - {*known}):
        raise typer.BadParameter(f"there is no algorithm {', '.join(strangers)}; choose among {', '.join(known)}")
    for library in LIBRARIES:
        import_module(library)
    for name in names or known:
        began, folder = time.monotonic(), out / name
        config = _write(folder / "search.yaml", _search(name, out))
        undisturbed, killed, actors = (folder / each for each in ("undisturbed", "killed", "two-actors"))
        _run(["search", str(config), "--out", str(undisturbed)])
        num = _num_events(undisturbed)
        for share in (1 / 3, 2 / 3):
            _kill_when(["search", str(config), "--out", str(killed)], partial(_has_events, killed, share * num))
        _run(["search", str(config), "--out", str(killed)])
        _run(["search", str(config), "--num-workers", "2", "--out", str(actors)])
        expected = fingerprint(undisturbed)
        for run in (killed, actors):
            differing = sorted(part for part in expected if fingerprint(run).get(part) != expected[part])
            wrong += [f"{run}: {', '.join(differing)}"] if differing else []
        said = "equal" if not any(str(folder) in each for each in wrong) else "DIFFERENT"
        took = f"{time.monotonic() - began:.0f} s"
        console.print(f"{name}: {num} events; killed twice and continued, and on two actors: {said} ({took})")
    _end(console, wrong)


@app.command()
def sweep(
    out: Out = Path("runs/sameness/sweep"),
    num_trials: Annotated[int, typer.Option(help="of the sweep")] = 8,
    search: Annotated[Path | None, typer.Option(help="config of the search (default: of the bundled model)")] = None,
) -> None:
    """A sweep that is killed twice and continued, against an undisturbed one."""
    console = Console()
    search = search or _write(out / "search.yaml", _search("evolving", out))
    ranges = {
        "search.removals_per_round": {"whole": [1, 4]},
        "search.target_ratio": {"choices": [0.94, 0.92, 0.9]},
        "seed": {"choices": [0, 1]},
    }
    config = _write(
        out / "sweep.yaml", {"experiment": str(search.resolve()), "ranges": ranges, "num_trials": num_trials}
    )
    undisturbed, killed = out / "undisturbed", out / "killed"
    _run(["sweep", str(config), "--out", str(undisturbed)])
    command = ["sweep", str(config), "--out", str(killed)]
    for num in (num_trials // 4, 5 * num_trials // 8):
        _kill_when(command, partial(_has_trials, killed, num))
        console.print(f"killed after {len([*killed.glob(ENDED)])} trials")
    _run([*command, "--resume"])
    tables = [pd.read_csv(folder / "trials.csv").drop(columns="hours") for folder in (undisturbed, killed)]
    wrong = [] if tables[0].equals(tables[1]) else [f"{killed}/trials.csv"]
    for name in sorted({path.name for folder in (undisturbed, killed) for path in folder.glob("trials/*")}):
        runs = [folder / "trials" / name for folder in (undisturbed, killed)]
        if not all(map(Path.is_dir, runs)) or fingerprint(runs[0]) != fingerprint(runs[1]):
            wrong.append(str(runs[1]))
    console.print(tables[0].to_string(index=False))
    console.print(f"{num_trials} trials, killed twice and continued: {'DIFFERENT' if wrong else 'equal'}")
    _end(console, wrong)


def _search(name: str, out: Path) -> dict[str, Any]:
    """The config of a search that takes seconds, with a training of two steps and a recovery of as many."""
    if not (pictures := out / "pictures").exists():
        write_pictures(pictures, num=32, seed=0)
    shapes, settings = HERE.parent / "search_spaces" / "shapes", dict(SETTINGS.get(name, OTHERS))
    own = settings if name == "evolving" else {"settings": settings}
    return {
        "model": str(shapes / "pipeline"),
        "clip": {"model": str(shapes / "open_clip")},
        "latency_table": str(HERE.parent / "latency" / "tables" / "shapes_cpu_torch_eager.json"),
        "validation": {"captions": str(shapes / "validation_captions.txt"), "num_prompts": 4, "chunk_size": 2},
        "sampling": {"num_steps": 1, "guidance_scale": 1.0},
        "robust_training": {
            "pictures": str(pictures.resolve()),
            "iterations": 2,
            "recovery_iterations": 2,
            "batch_size": 8,
        },
        "search": {"algorithm": name, "target_ratio": 0.85, **own},
    }


def _write(path: Path, content: Mapping[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")
    return path


def _num_events(run: Path) -> int:
    trace = run / "trace.jsonl"
    return trace.read_bytes().count(b"\n") if trace.is_file() else 0


def _has_events(run: Path, num: float) -> bool:
    return _num_events(run) >= num


def _has_trials(folder: Path, num: int) -> bool:
    return len([*folder.glob(ENDED)]) >= num


def _run(command: list[str]) -> None:
    """Run a command of `nas` to its end."""
    one = _started(command)
    one.join()
    if one.exitcode not in (0, TARGET_MISSED):
        raise RuntimeError(f"nas {' '.join(command)} ended with exit code {one.exitcode}")


def _kill_when(command: list[str], may_die: Callable[[], bool]) -> None:
    """Run a command of `nas` and kill it, with all that it started, as soon as something holds."""
    one, end = _started(command), time.monotonic() + PATIENCE_S
    while not may_die() and one.is_alive() and time.monotonic() < end:
        time.sleep(0.01)
    if not one.is_alive():
        raise RuntimeError(f"nas {' '.join(command)} ended with exit code {one.exitcode} before it was killed")
    assert one.pid is not None
    os.killpg(one.pid, signal.SIGKILL)
    one.join()


def _started(command: list[str]) -> BaseProcess:
    """A command of `nas` in a process, and a process group, of its own."""
    groups = get_context("fork")
    is_ready = groups.Event()
    one = groups.Process(target=_in_a_group, args=(command, is_ready))
    one.start()
    is_ready.wait()
    return one


def _in_a_group(command: list[str], is_ready: Any) -> None:
    os.setsid()
    is_ready.set()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    nas(command)


def _end(console: Console, wrong: list[str]) -> None:
    if wrong:
        console.print(f"[red]different: {'; '.join(wrong)}[/red]")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
