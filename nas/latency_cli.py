"""`nas latency`: measure a latency table on this machine, and look at one."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.errors_cli import user_errors

if TYPE_CHECKING:
    from latency import LatencyTable
    from latency.interleaving import RoundReport
    from search_spaces import UNetSpace

DEFAULT_CONTEXT_TOKENS = 77  # CLIP's

app = typer.Typer(
    no_args_is_help=True,
    help="Latency tables: what every block of a UNet costs on one device.",
    rich_markup_mode="markdown",
)


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command()
@user_errors
def measure(
    model: Annotated[Path, typer.Argument(help="Diffusers pipeline folder, or the `unet` folder in it.")],
    out: Annotated[Path, typer.Option(help="Table to write (JSON); replaced only when the measurement succeeds.")],
    batch: Annotated[int, typer.Option(min=1, help="Samples per forward pass. Latencies are never rescaled.")] = 1,
    height: Annotated[int | None, typer.Option(min=1, help="Latent height; default: the model's own.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Latent width; default: the model's own.")] = None,
    context_tokens: Annotated[
        int | None, typer.Option(min=1, help="Text tokens; default: the pipeline's tokenizer's, else 77.")
    ] = None,
    max_copies: Annotated[int, typer.Option(min=0, help="Copies per block that the search may make.")] = 2,
    min_rounds: Annotated[int, typer.Option(min=1, help="Rounds before stopping early.")] = 10,
    max_rounds: Annotated[int, typer.Option(min=1, help="Rounds at most.")] = 60,
    subnetworks: Annotated[
        int, typer.Option(min=0, help="Random sub-networks to measure against their predictions.")
    ] = 8,
    seed: Annotated[int, typer.Option(help="Of the inputs, the order and the sub-networks.")] = 0,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of torch; more than one is timed by the wall clock.")
    ] = 1,
    device_name: Annotated[str | None, typer.Option(help="Name of this machine; default: its processor.")] = None,
    base_model: Annotated[str | None, typer.Option(help="Name of the model; default: its folder's name.")] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option("--allow-mismatch", help="Write the table even if blocks do not sum to 0.9 .. 1.1 of the whole."),
    ] = False,
) -> None:
    """Measure every block that a search over MODEL can need, on this machine's CPU.

    Each round visits every block and the whole UNet in random order, with a reference kernel around every sample, so
    that a busy machine does not spoil the table. It stops when all medians are known to 2 %, or after --max-rounds.

    Example: nas latency measure models/sd15 --out sd15_cpu.json --device-name "my laptop"
    """
    import platform

    from latency import write_table
    from latency.backends.torch_eager import TorchEager, host_processor
    from latency.interleaving import MeasureSettings
    from latency.measure import measure_table
    from search_spaces import space_from_config
    from search_spaces.loading import SEARCHED, load_unet, read_context_tokens, read_unet_config
    from search_spaces.supernet import Supernet

    if not out.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} to write {out.name} to; make it first")
    settings = MeasureSettings(min_rounds=min_rounds, max_rounds=max_rounds, seed=seed)
    config = read_unet_config(model)
    if config["_class_name"] == SEARCHED:
        raise ValueError(
            f"a latency table is measured on the base model, but {model} holds a searched UNet; give its base"
        )
    space = space_from_config(config, max_copies=max_copies)
    with _progress("Measuring") as on_round:
        table = measure_table(
            Supernet(load_unet(model), space=space),
            backend=TorchEager(threads=threads),
            base_model=base_model or model.resolve().name,
            device_name=device_name or host_processor(),
            soc=host_processor(),
            os=f"{platform.system()} {platform.machine()}",
            batch=batch,
            height=height or 0,
            width=width or 0,
            context_tokens=context_tokens or read_context_tokens(model) or DEFAULT_CONTEXT_TOKENS,
            num_subnetworks=subnetworks,
            settings=settings,
            on_round=on_round,
        )
    write_table(table, out, allow_mismatch=allow_mismatch)
    typer.echo(f"wrote {out}: {len(table.rows)} rows from {table.protocol.rounds} rounds")
    for line in _check_lines(table):
        typer.echo(line)


@app.command()
@user_errors
def show(
    file: Annotated[Path, typer.Argument(help="Latency table (JSON).")],
    format: Annotated[Format, typer.Option(help="JSON and CSV are stable interfaces.")] = Format.TABLE,
    plot: Annotated[
        Path | None, typer.Option(help="Also draw latency per stage to this picture; needs --model.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder whose base architecture is drawn.")] = None,
) -> None:
    """Show a latency table: its rows, where it comes from, and how far it can be trusted.

    Example: nas latency show sd15_cpu.json --plot stages.png --model models/sd15
    """
    from latency import csv_text, read_table, table_text

    if plot is not None and model is None:
        raise ValueError("`--plot` draws the stages of a model: give its folder with `--model`")
    table = read_table(file)
    if plot is not None and model is not None:
        _draw(table, model, plot)
    match format:
        case Format.JSON:
            typer.echo(table_text(table), nl=False)
        case Format.CSV:
            typer.echo(csv_text(table), nl=False)
        case Format.TABLE:
            _print_table(table)


@contextmanager
def _progress(title: str) -> "Iterator[Callable[[RoundReport[Any]], None]]":
    """A progress bar on stderr with the running error; silent when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("warming up", total=None)

        def on_round(report: "RoundReport[Any]") -> None:
            bar.update(
                task,
                completed=report.num_rounds,
                total=report.max_rounds,
                description=f"least sure to {report.worst_cv:.1%}",
            )

        yield on_round


def _check_lines(table: "LatencyTable") -> list[str]:
    """End-to-end latency and checks, as sentences."""
    lines = []
    if table.end_to_end is not None:
        e = table.end_to_end
        lines.append(f"end to end {e.median_ms:.3f} ms (p10 {e.p10_ms:.3f}, p90 {e.p90_ms:.3f}, n {e.num_samples})")
    if (check := table.check) is not None:
        lines.append(f"blocks sum to {check.sum_over_end_to_end:.3f} of it")
        if check.subnetwork_mape is not None:
            tau = "" if check.kendall_tau is None else f", Kendall tau {check.kendall_tau:.2f}"
            num, error = check.num_subnetworks, check.subnetwork_mape
            lines.append(f"predictions for {num} random sub-networks are off by {error:.1%}{tau}")
    return lines


def _print_table(table: "LatencyTable") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    d, r, w = table.device, table.runtime, table.workload
    about_device = ", ".join(dict.fromkeys(part for part in (d.name, d.soc, d.compute_unit, d.os) if part))
    options = "".join(f", {name} {value}" for name, value in r.options)
    console.print(f"[bold]{w.base_model}[/bold] on {about_device}", highlight=False)
    console.print(f"{r.name} {r.version}{options}, {w.attention_impl}, {w.dtype}", highlight=False)
    console.print(
        f"latents {w.latent_height}x{w.latent_width}, batch {w.batch}, {w.context_tokens} text tokens", highlight=False
    )
    for line in _check_lines(table):
        console.print(line, highlight=False)
    sources = Counter(row.source for row in table.rows)
    console.print("rows: " + ", ".join(f"{num} {source}" for source, num in sources.items()), highlight=False)
    whole_ms = table.end_to_end.median_ms if table.end_to_end is not None else table.base_ms
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    grid.add_column("block", no_wrap=True)
    for name in ("sites", "ms", "p10 .. p90", "share", "MMACs"):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in table.rows:
        share = row.median_ms * len(row.sites) / whole_ms if whole_ms else 0.0
        grid.add_row(
            f"{row.signature} {row.signature.variant}".strip(),
            str(len(row.sites)),
            f"{row.median_ms:.3f}",
            f"{row.p10_ms:.3f} .. {row.p90_ms:.3f}",
            f"{share:.1%}" if row.sites else "",
            f"{row.signature.num_macs / 1e6:.2f}",
        )
    console.print(grid)


def _draw(table: "LatencyTable", model: Path, picture: Path) -> None:
    from latency import check_workload
    from latency.figure import stage_figure
    from search_spaces import space_from_config
    from search_spaces.loading import read_unet_config

    space: UNetSpace = space_from_config(read_unet_config(model))
    w = table.workload
    size = {"height": w.latent_height, "width": w.latent_width, "context_tokens": w.context_tokens}
    check_workload(table, space=space, **size)
    prediction = table.predict(space.sites(space.base, **size))
    stage_figure(prediction, space=space, device=table.device, runtime=table.runtime).savefig(picture, dpi=150)
    typer.echo(f"drew {picture}", err=True)
