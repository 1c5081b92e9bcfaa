"""The command `nas generate`: pictures in a grid, and a table of what each stage cost on this machine."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latency.pricing.scenario import Dtype
from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import MAX_BATCH, Format, FormatOption
from search_spaces.files.replacing import check_replaceable, is_picture

if TYPE_CHECKING:
    from nas.drawing.draw import Drawing


@user_errors
def generate(
    folder: Annotated[str, typer.Argument(help="pipeline folder, a base model's or an exported one; or hub:ORG/NAME")],
    prompts: Annotated[list[str], typer.Argument(help='what to draw, such as "a red circle above a blue square"')],
    out: Annotated[Path, typer.Option(help="file of the pictures in a grid: .png, .jpg, .jpeg or .webp")] = Path(
        "pictures.png"
    ),
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="seed of the first picture's noise; the next ones count up")
    ] = 0,
    num_steps: Annotated[int, typer.Option(min=1, help="denoising steps")] = 10,
    guidance_scale: Annotated[float, typer.Option(min=1, help="classifier-free guidance; 1 = none")] = 3.0,
    negative_prompt: Annotated[str | None, typer.Option(help="what guidance leads away from")] = None,
    num_pictures: Annotated[int, typer.Option(min=1, max=MAX_BATCH, help="pictures of each prompt")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, max=MAX_BATCH, help="pictures that are drawn at once")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="a deterministic diffusers scheduler (default: its own)")
    ] = None,
    dtype: Annotated[Dtype, typer.Option(help="of weights and activations")] = Dtype.FLOAT32,
    variant: Annotated[str | None, typer.Option(help="of the weights' files, such as fp16 (default: none)")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:1")] = "cpu",
    format: FormatOption = Format.TABLE,
) -> None:
    """Draw pictures from any pipeline folder, and say what each stage of a picture cost here.

    Example: nas generate runs/demo/export "a red circle above a blue square" "a small green ring"
    """
    from nas.pipelines.source import find_model

    check_replaceable(out, is_picture, kind="a picture")
    model = find_model(folder, variant=variant)
    import torch

    from nas.drawing.draw import DrawingSettings, draw
    from nas.drawing.grid import picture_format, write_grid

    picture_format(out)
    settings = DrawingSettings(
        prompts=tuple(prompts),
        negative_prompt=negative_prompt,
        num_pictures=num_pictures,
        seed=seed,
        num_steps=num_steps,
        guidance_scale=guidance_scale,
        scheduler=scheduler,
        batch_size=batch_size,
    )
    with _Bar() as bar:
        drawing = draw(
            model,
            settings=settings,
            dtype=getattr(torch, dtype),
            device=device,
            on_step=bar.step,
        )
    write_grid(out, drawing.pictures, captions=settings.captions)
    if format is Format.JSON:
        _print_json(drawing, out, num_threads=torch.get_num_threads())
        return
    num, num_threads = len(drawing.pictures), torch.get_num_threads()
    where = device if device != "cpu" else f"{num_threads} CPU thread{'s'[: num_threads > 1]}"
    say(f"{num} picture{'s'[: num > 1]} -> {out}")
    _print_table(drawing, title=f"{num_steps} steps of {drawing.scheduler}, {dtype} on {where}")


class _Bar:
    """UNet steps on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Screen(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            refresh_per_second=2,  # more would take time from what is measured
        )
        self._task = self._bar.add_task("loading", total=None)

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, done: int, total: int) -> None:
        """So many UNet steps are done."""
        self._bar.update(self._task, completed=done, total=total, description="drawing")


def _print_json(drawing: "Drawing", out: Path, *, num_threads: int) -> None:
    _, height, width, _ = drawing.pictures.shape
    report = {
        "pictures": str(out),
        "num_pictures": len(drawing.pictures),
        "height_px": height,
        "width_px": width,
        "scheduler": drawing.scheduler,
        "num_threads": num_threads,
        "stages": [dataclasses.asdict(stage) for stage in drawing.stages],
    }
    say(json.dumps(report, indent=2))


def _print_table(drawing: "Drawing", *, title: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    _, height, width, _ = drawing.pictures.shape
    table = Table(title=f"{height}x{width} px, {title}", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("stage", no_wrap=True)
    for name in ("batch", "calls", "median ms", "p10 .. p90", "first ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in drawing.stages:
        spread = "-" if stage.p10_ms is None else f"{stage.p10_ms:,.2f} .. {stage.p90_ms:,.2f}"
        median = "-" if stage.median_ms is None else f"{stage.median_ms:,.2f}"
        name = "whole picture" if stage.stage == "picture" else stage.stage
        table.add_row(name, str(stage.batch), str(stage.num_calls), median, spread, f"{stage.first_ms:,.2f}")
    console = Screen()
    console.print(table)
    console.sentence("a stage's first call warms up and stands apart; with guidance a UNet step has two rows a picture")
    if any(stage.median_ms is None for stage in drawing.stages):
        console.sentence("-: called once, which is its first time; draw more (--num-pictures) for a median")
