"""The command line: `nas search`, `status`, `export`, `generate`, `convert`, `space ...`, `latency ...`.

Knows how to talk to a person; every answer comes from the modules that it calls, which are imported only when their
command runs, so that `nas --help` is quick.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nas.convert_cli import convert
from nas.errors_cli import user_errors
from nas.export_cli import export
from nas.format_cli import Format, FormatOption
from nas.generate_cli import generate
from nas.latency_cli import app as latency_app
from nas.space_cli import app as space_app

app = typer.Typer(
    name="nas",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Architecture search for text-to-image diffusion UNets (SnapFusion).\n\n"
    "It removes and copies cross-attention and ResNet blocks until the UNet meets a latency target with the least "
    "loss of CLIP score, and hands back a model that loads.",
)
app.add_typer(space_app, name="space")
app.command()(export)
app.command()(generate)
app.command()(convert)
app.add_typer(latency_app, name="latency")


@app.command()
@user_errors
def search(
    config: Annotated[Path, typer.Argument(help="experiment, a YAML file; see experiments/demo.yaml")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="settings to change, such as search.target_ratio=0.5", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory (default: runs/<name of the config>)")] = None,
    num_workers: Annotated[int | None, typer.Option(min=1, help="1 = this process; more = Ray actors")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="seed of prompts' noise and training")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what the search would cost, by a warm-up, and stop there")
    ] = False,
) -> None:
    """Search, or continue the search in a run directory.

    The same command on the same directory continues an interrupted run, with the same result as if it had never
    stopped, for any number of workers. A finished run goes on with a tighter target, more rounds or more copies.

    Example: nas search experiments/demo.yaml search.target_ratio=0.6 --out runs/faster
    """
    from nas.config.loading import load_config

    extra = [f"workers.num_workers={num_workers}"] if num_workers is not None else []
    extra += [f"seed={seed}"] if seed is not None else []
    loaded = load_config(config, overrides=[*(overrides or []), *extra])
    from nas.search_cli import estimate_search, run_search

    if dry_run:
        estimate_search(loaded)
        return
    run_search(loaded, out or Path("runs") / config.stem)


@app.command()
@user_errors
def status(
    run: Annotated[Path, typer.Argument(help="run directory; may be in progress")], format: FormatOption = Format.TABLE
) -> None:
    """How far a run is: rounds, scores, what was decided."""
    from nas.runs.directory import RunDirectory
    from nas.runs.frames import round_frame
    from nas.runs.trace import read_trace

    directory = RunDirectory(run)
    directory.read_config()
    events = read_trace(directory.trace_path)
    starts = [e for e in events if e["event"] in ("search_started", "search_extended")]
    started = starts[-1] if starts else {}
    finished = events[-1] if events and events[-1]["event"] == "search_finished" else None
    rounds = round_frame(events)
    if format is Format.JSON:
        summary = {
            "state": "finished" if finished else "unfinished",
            "stop": finished and finished["stop"],
            "target_met": finished and finished["target_met"],
            "target_latency_ms": started.get("target_latency_ms"),
            "base_latency_ms": started.get("base_latency_ms"),
            "table_distrust": started.get("runtime", {}).get("distrust"),
            "num_events": len(events),
            "rounds": json.loads(rounds.to_json(orient="records")),
        }
        typer.echo(json.dumps(summary, indent=2))
        return
    state = f"finished, {finished['stop']}" if finished else "unfinished"
    table = Table(title=f"{run}: {state}", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("round", "ms", "CLIP", "interval", "params", "then"):
        table.add_column(name, justify="left" if name == "then" else "right", no_wrap=name != "then")
    for row in rounds.to_dict(orient="records"):
        table.add_row(
            str(row["round"]),
            f"{row['predicted_latency_ms']:.3f}",
            f"{row['clip']:.4f}",
            f"{row['clip_low']:.4f} .. {row['clip_high']:.4f}",
            f"{row['num_params'] / 1e6:.2f} M",
            escape(row["actions"]),
        )
    console = Console()
    console.print(table)
    if started:
        console.print(f"base {started['base_latency_ms']:.3f} ms, target {started['target_latency_ms']:.3f} ms")
        if why := started["runtime"].get("distrust"):
            console.print(f"the latency table: {why}", style="yellow", markup=False, soft_wrap=True)


def main() -> None:
    """Entry point of the command `nas`."""
    app()
