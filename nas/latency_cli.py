"""`nas latency`: latency tables, measured here or imported, and looked at."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.errors_cli import user_errors
from nas.latency_import_cli import import_, validate
from nas.latency_init_cli import init
from nas.latency_measure_cli import check_lines, measure

if TYPE_CHECKING:
    from latency import LatencyTable
    from search_spaces import UNetSpace

app = typer.Typer(
    no_args_is_help=True,
    help="Latency tables: what every block of a UNet costs on one device.",
    rich_markup_mode="markdown",
)
app.command()(measure)
app.command()(init)
app.command("import")(import_)
app.command()(validate)


class Format(StrEnum):
    """How a table is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


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
    for line in check_lines(table):
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
