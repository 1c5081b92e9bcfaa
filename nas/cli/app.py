"""The command line: `nas search`, `status`, `report`, `plot`, `export`, `generate`, `convert`, `space ...`.

Knows how to talk to a person; every answer comes from the modules that it calls, which are imported only when their
command runs, so that `nas --help` is quick.
"""

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated, Final

import typer

from nas.cli.convert import convert
from nas.cli.demo import demo
from nas.cli.distillation.app import app as distillation_app
from nas.cli.export import export
from nas.cli.generate import generate
from nas.cli.init import init
from nas.cli.latency.app import app as latency_app
from nas.cli.plot import plot
from nas.cli.plugins import plugins
from nas.cli.quality.evaluate import evaluate
from nas.cli.quality.pipeline import pipeline
from nas.cli.runs.comparing import compare
from nas.cli.runs.frames import frames
from nas.cli.runs.listing import runs
from nas.cli.runs.report import report
from nas.cli.screen.console import Screen, open_standard_streams, say
from nas.cli.screen.errors import TARGET_MISSED, user_errors
from nas.cli.settings import settings
from nas.cli.space import app as space_app
from nas.cli.status import status
from nas.cli.sweeps.bench import bench
from nas.cli.sweeps.devices import devices, run_devices
from nas.cli.sweeps.rerank import rerank
from nas.cli.sweeps.sweep import sweep
from nas.cli.training.train import train

# the panels of `nas --help`, in this order
BEGIN: Final = "Begin"
SEARCH: Final = "Search"
TRAIN: Final = "Train and distil"
JUDGE: Final = "Judge and compare"
MODELS: Final = "Models and devices"

app = typer.Typer(
    name="nas",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Architecture search for text-to-image diffusion UNets (SnapFusion).\n\n"
    "It removes and copies cross-attention and ResNet blocks until the UNet meets a latency target with the least "
    "loss of CLIP score, and hands back a model that loads.\n\n"
    "New here: `nas demo` shows all of it in minutes; `nas init mine.yaml` and `nas search mine.yaml` are a search of "
    "your own; `nas COMMAND --help` ends with an example.\n\n"
    "Exit codes: 0 = done; 1 = a fault, or problems that `nas latency validate` found; 2 = what was given cannot be "
    "used, or the system refuses; 3 = a search that missed its target; 130 = interrupted.",
)


def _print_version(wanted: bool) -> None:
    """Say what runs here; nothing is imported for it."""
    if wanted:
        versions = (f"{name} {metadata.version(name)}" for name in ("snapfusion-nas", "torch", "diffusers"))
        say(", ".join((*versions, f"Python {platform.python_version()}")))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="say the versions and stop there")
    ] = False,
) -> None:
    """Options of the command itself; they act before any command does."""


app.command(rich_help_panel=BEGIN)(demo)
app.command(rich_help_panel=BEGIN)(init)
app.command(rich_help_panel=BEGIN)(settings)
app.command(rich_help_panel=BEGIN)(plugins)


@app.command(rich_help_panel=SEARCH)
@user_errors
def search(
    config: Annotated[Path, typer.Argument(help="experiment, a YAML file; `nas init FILE.yaml` writes one")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="settings to change, such as search.target_ratio=0.5", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory (default: runs/<name of the config>)")] = None,
    num_workers: Annotated[int | None, typer.Option(min=1, help="1 = this process; more = Ray actors")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="the setting seed: of prompts' noise and training")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what the search would cost, by a warm-up, and stop there")
    ] = False,
) -> None:
    """Search, or continue the search in a run directory.

    The same command on the same directory continues an interrupted run, with the same result as if it had never
    stopped, for any number of workers. A finished run goes on with a tighter target, more rounds or more copies.

    Exit codes: 0 = target met; 3 = target missed, the nearest is written;
    2 = unusable input, or a disk refuses; 1 = a fault (RUN/logs/driver.log);
    130 = interrupted.

    Example: nas search mine.yaml search.target_ratio=0.6 --out runs/faster
    """
    folder = out or Path("runs") / config.stem
    with Screen(stderr=True).status("reading the config"):
        from nas.config.loading import load_config

        extra = [f"workers.num_workers={num_workers}"] if num_workers is not None else []
        extra += [f"seed={seed}"] if seed is not None else []
        loaded = load_config(config, overrides=[*(overrides or []), *extra])
    say(f"{config}" if dry_run else f"{config} -> {folder}")
    if loaded.search.devices and not dry_run:
        if not run_devices(loaded, folder):
            raise typer.Exit(TARGET_MISSED)
        return
    with Screen(stderr=True).status("loading libraries"):
        from nas.cli.search import estimate_search, run_search

    if dry_run:
        estimate_search(loaded)
    elif not run_search(loaded, folder):
        raise typer.Exit(TARGET_MISSED)


app.command(rich_help_panel=SEARCH)(status)
app.command(rich_help_panel=SEARCH)(report)
app.command(rich_help_panel=SEARCH)(runs)
app.command(rich_help_panel=SEARCH)(devices)
app.command(rich_help_panel=SEARCH)(rerank)
app.command(rich_help_panel=SEARCH)(sweep)
app.command(rich_help_panel=TRAIN)(train)
app.add_typer(distillation_app, name="distill", rich_help_panel=TRAIN)
app.command(rich_help_panel=TRAIN)(pipeline)
app.command(rich_help_panel=JUDGE)(evaluate)
app.command(rich_help_panel=JUDGE)(compare)
app.command(rich_help_panel=JUDGE)(plot)
app.command(rich_help_panel=JUDGE)(frames)
app.command(rich_help_panel=JUDGE)(bench)
app.command(rich_help_panel=MODELS)(export)
app.command(rich_help_panel=MODELS)(generate)
app.command(rich_help_panel=MODELS)(convert)
app.add_typer(space_app, name="space", rich_help_panel=MODELS)
app.add_typer(latency_app, name="latency", rich_help_panel=MODELS)


def main() -> None:
    """Entry point of the command `nas`."""
    open_standard_streams()
    app()
