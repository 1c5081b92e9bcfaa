"""The command line: `nas search`, `status`, `export`, `generate`, `convert`, `space show`, `latency ...`.

Knows how to talk to a person; every answer comes from the modules that it calls, which are imported only when their
command runs, so that `nas --help` is quick.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nas.convert_cli import convert
from nas.errors_cli import user_errors
from nas.generate_cli import generate
from nas.latency_cli import app as latency_app

app = typer.Typer(
    name="nas",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Architecture search for text-to-image diffusion UNets (SnapFusion).\n\n"
    "It removes and copies cross-attention and ResNet blocks until the UNet meets a latency target with the least "
    "loss of CLIP score, and hands back a model that loads.",
)
space_app = typer.Typer(no_args_is_help=True, help="What may be removed or copied in a model.")
app.add_typer(space_app, name="space")
app.add_typer(latency_app, name="latency")
app.command()(convert)
app.command()(generate)


class Format(StrEnum):
    """How a listing is printed."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="a table to read, or JSON with stable keys")]


@app.command()
@user_errors
def search(
    config: Annotated[Path, typer.Argument(help="experiment, a YAML file; see experiments/demo.yaml")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="settings to change, such as search.target_ratio=0.5", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory  [default: runs/<name of the config>]")] = None,
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
    from nas.config import load_config

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
    from nas.run import RunDirectory
    from nas.trace import read_trace, round_frame

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


@app.command()
@user_errors
def export(
    run: Annotated[Path, typer.Argument(help="run directory of a finished search")],
    out: Annotated[Path | None, typer.Option(help="pipeline folder to write  [default: RUN/export]")] = None,
) -> None:
    """Write the found UNet as a pipeline folder, reload it in a clean process and measure it.

    The folder works with `nas generate`, and with diffusers after `import search_spaces.searched_unet`.
    """
    from nas.export import export_run

    report = export_run(run, out=out or run / "export")
    table = Table(title=f"{out or run / 'export'}")
    for name in ("", "base", "found"):
        table.add_column(name, justify="right" if name else "left")
    for label, base, found in report.rows():
        table.add_row(label, base, found)
    Console().print(table)


@space_app.command("show")
@user_errors
def space_show(
    model: Annotated[
        Path, typer.Argument(help="pipeline folder, unet folder, hub:ORG/NAME, or a name: sd-1.5, sd-2.1, sdxl")
    ],
    spec: Annotated[Path | None, typer.Option(help="architecture.json: show this architecture, not the base")] = None,
    max_copies: Annotated[int, typer.Option(min=0, help="copies that one block may get")] = 2,
    format: FormatOption = Format.TABLE,
) -> None:
    """Stages and positions of a model: what may be removed or copied, what it costs, and why not."""
    from nas.model_source import model_folder
    from search_spaces.architecture import Architecture
    from search_spaces.diffusers_config import space_from_config
    from search_spaces.known import BASE_CONFIGS
    from search_spaces.loading import read_unet_config
    from search_spaces.space_view import describe_space

    config = BASE_CONFIGS.get(str(model)) if not model.exists() else None
    config = config or read_unet_config(model_folder(model, weights=False))
    space = space_from_config(config, max_copies=max_copies)
    searched = config.get("architecture")  # of a folder that `nas export` wrote
    architecture: Architecture = space.base if searched is None else Architecture.from_dict(searched)
    if spec is not None:
        from nas.spec import read_spec

        architecture = read_spec(spec)[0]
    described = describe_space(space, architecture)
    if format is Format.JSON:
        typer.echo(json.dumps(described, indent=2))
        return
    _print_space(str(model), described)


def _print_space(name: str, described: dict[str, Any]) -> None:
    title = f"{name}: {described['num_removals']} removals, {described['num_copies']} copies"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in ("stage", "position", "size", "channels", "res", "attn", "params", "MACs", "can go"):
        table.add_column(column, justify="left" if column in ("stage", "position", "can go") else "right", no_wrap=True)
    reasons = []
    for stage in described["stages"]:
        for position in stage["positions"]:
            removable = [
                word
                for word, key in (("R", "resnet"), ("A", "cross_attention"))
                if position[f"{key}_removable"]["possible"]
            ]
            table.add_row(
                stage["paper_stage"],
                f"{stage['place']}[{position['position']}]",
                f"{stage['height']}x{stage['width']}",
                str(stage["channels"]),
                str(position["resnets"]),
                str(position["cross_attentions"]),
                f"{position['num_params'] / 1e6:.2f} M",
                f"{macs / 1e9:.2f} G" if (macs := position["num_macs"]) >= 1e9 else f"{macs / 1e6:.2f} M",
                " ".join(removable),
            )
            reasons += [position[f"{kind}_copyable"]["why_not"] for kind in ("resnet", "cross_attention")]
        table.add_section()
    console = Console()
    console.print(table)
    console.print(
        f"{described['num_cross_attentions']} cross-attentions, {described['num_resnets']} ResNets, "
        f"{described['num_params']:,} parameters, {described['num_macs'] / 1e9:,.3f} GMACs"
    )
    for reason in filter(None, reasons):
        console.print(f"  {reason}", style="dim", soft_wrap=True, markup=False, highlight=False)


def main() -> None:
    """Entry point of the command `nas`."""
    app()
