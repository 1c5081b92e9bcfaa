"""`nas latency show`: a table's rows and how far to trust it, and what one architecture costs by it."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latency.blocks.models import latency_model
from latency.pricing.prediction import Guidance
from nas.cli.latency.sentences import check_lines
from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from latency import LatencyPrediction, LatencyTable
    from search_spaces import UNetSpace


class Plot(StrEnum):
    """What is drawn."""

    STAGES = "stages"
    BLOCKS = "blocks"


@user_errors
def show(
    file: Annotated[Path, typer.Argument(help="latency table (JSON), or the name of a shipped one")],
    format: Annotated[TableFormat, typer.Option(help="JSON and CSV are stable interfaces")] = TableFormat.TABLE,
    model: Annotated[
        Path | None, typer.Option(help="folder or known name: say what its UNet costs, per stage and kind")
    ] = None,
    spec: Annotated[Path | None, typer.Option(help="architecture.json: this architecture, not the base")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw what --model costs to this picture")] = None,
    plot_by: Annotated[Plot, typer.Option(help="a bar per stage, or a bar per block")] = Plot.STAGES,
    steps: Annotated[
        int | None, typer.Option(min=1, help="denoising steps: say what a whole picture costs; needs --model")
    ] = None,
    guidance: Annotated[
        Guidance, typer.Option(help="classifier-free guidance: in the batch of the table, or a second pass")
    ] = Guidance.NONE,
    text_encoder_ms: Annotated[float, typer.Option(min=0, help="one run of the text encoder")] = 0.0,
    decoder_ms: Annotated[float, typer.Option(min=0, help="the run of the decoder")] = 0.0,
) -> None:
    """Show a latency table: its rows, where it comes from, how far to trust it, and what a model costs by it.

    Examples: nas latency show sd15_cpu.json --model models/sd15 --plot blocks.png --plot-by blocks

    nas latency show sd15_cpu.json --model sd-1.5 --steps 8 --guidance twice --text-encoder-ms 4 --decoder-ms 116
    """
    from latency import csv_text, read_latency_table, table_text
    from latency.figures.canvas import check_picture

    if model is None and (plot is not None or spec is not None or steps is not None):
        raise UserError("`--plot`, `--spec` and `--steps` are about a model: name it with `--model`")
    if plot is not None:
        check_picture(plot)
    table = read_latency_table(file)
    if format is not TableFormat.TABLE:
        text = table_text(table) if format is TableFormat.JSON else csv_text(table)
        say(text.removesuffix("\n"))
    elif model is None:
        _print_table(table)
    if model is not None:
        space, prediction = _predicted(table, model, spec)
        if format is TableFormat.TABLE:
            _print_breakdown(table, space, prediction)
            if steps is not None:
                _print_picture(prediction, steps, guidance, text_encoder_ms, decoder_ms)
        if plot is not None:
            _draw(table, space, prediction, plot, by=plot_by)


def _predicted(table: "LatencyTable", model: Path, spec: Path | None) -> "tuple[UNetSpace, LatencyPrediction]":
    from latency import check_workload
    from nas.runs.spec import read_spec
    from search_spaces import space_from_config
    from search_spaces.architecture import ArchitectureError

    space = space_from_config(latency_model(model).config)
    check_workload(table, space=space, **table.workload.sizes)
    architecture = space.base if spec is None else read_spec(spec)[0]
    try:
        space.check(architecture)
    except ArchitectureError as error:
        raise ArchitectureError(f"{spec} is no architecture of {model}: {error}") from error
    return space, table.predict(space.sites(architecture, **table.workload.sizes))


def _print_table(table: "LatencyTable") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    console = Screen()
    _print_scenario(table)
    sources = Counter(row.source for row in table.rows)
    console.sentence("rows: " + ", ".join(f"{num} {source}" for source, num in sources.items()))
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
            f"{row.p10_ms:.3f} .. {row.p90_ms:.3f}" if row.has_spread else "unknown",
            f"{share:.1%}" if row.sites else "",
            f"{row.signature.num_macs / 1e6:.2f}",
        )
    console.print(grid)


def _print_scenario(table: "LatencyTable") -> None:
    from latency.trust.calibration import distrust

    console = Screen()
    d, r, w = table.device, table.runtime, table.workload
    about_device = ", ".join(dict.fromkeys(part for part in (d.name, d.soc, d.compute_unit, d.os) if part))
    options = "".join(f", {name} {value}" for name, value in r.options)
    console.sentence(in_one_line(f"{w.base_model} on {about_device}"), style="bold")
    console.sentence(in_one_line(f"{r.name} {r.version}{options}, {w.attention_impl}, {w.dtype}"))
    console.print(f"latents {w.latent_height}x{w.latent_width}, batch {w.batch}, {w.context_tokens} text tokens")
    for line in check_lines(table):
        console.sentence(line)
    if (why := distrust(table)) is not None:
        console.sentence(why, style="yellow")


def _print_breakdown(table: "LatencyTable", space: "UNetSpace", prediction: "LatencyPrediction") -> None:
    """Milliseconds per stage and kind of block."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from latency.figures.stages import OTHER, SHOWN

    _print_scenario(table)
    kinds = [*SHOWN.values(), OTHER]
    rows: dict[str, dict[str, float]] = {}
    for block in prediction.breakdown:
        stage = space.paper_stage(block.stage) if block.stage else "outside"
        row = rows.setdefault(stage, dict.fromkeys(kinds, 0.0))
        row[SHOWN.get(block.kind, OTHER)] += block.ms
    grid = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    grid.add_column("stage")
    for name in (*kinds, "ms", "share"):
        grid.add_column(name, justify="right")
    for stage, row in rows.items():
        total = sum(row.values())
        grid.add_row(stage, *(f"{ms:.3f}" for ms in row.values()), f"{total:.3f}", f"{total / prediction.total_ms:.1%}")
    console = Screen()
    console.print(grid)
    console.print(
        f"UNet {prediction.total_ms:.3f} ms a step {_interval(prediction.low_ms, prediction.high_ms)}",
    )


def _interval(low: float, high: float) -> str:
    """Bounds in brackets, or that nobody knows them."""
    return f"[{low:.3f}, {high:.3f}]" if high > low else "(the rows have no spread: uncertainty unknown)"


def _print_picture(
    prediction: "LatencyPrediction", steps: int, guidance: Guidance, text_encoder_ms: float, decoder_ms: float
) -> None:
    from latency import ImageLatency

    image = ImageLatency(
        unet=prediction,
        num_steps=steps,
        guidance=guidance,
        text_encoder_ms=text_encoder_ms,
        decoder_ms=decoder_ms,
    )
    say(
        f"picture {image.total_ms / 1000:.3f} s {_interval(image.low_ms / 1000, image.high_ms / 1000)}: "
        f"{image.num_text_encoder_runs} x text encoder {text_encoder_ms:g} ms + {image.num_unet_runs} x UNet "
        f"{prediction.total_ms:.3f} ms + decoder {decoder_ms:g} ms"
    )


def _draw(
    table: "LatencyTable", space: "UNetSpace", prediction: "LatencyPrediction", picture: Path, *, by: Plot
) -> None:
    from latency.figures.canvas import write_figure
    from latency.figures.stages import block_figure, stage_figure

    draw = stage_figure if by is Plot.STAGES else block_figure
    write_figure(draw(prediction, space=space, device=table.device, runtime=table.runtime), picture)
    say(f"drew {picture}", err=True)
