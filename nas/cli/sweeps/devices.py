"""`nas search` of a config with several devices, and `nas devices`: what was found for each, on all of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat
from nas.cli.screen.json_text import json_text
from nas.scores.labels import score_label

if TYPE_CHECKING:
    from nas.config.sections import ExperimentConfig
    from nas.sweeps.matrix import DeviceMatrix


@user_errors
def devices(
    folder: Annotated[Path, typer.Argument(help="folder that `nas search` made of a config with `search.devices`")],
    format: Annotated[
        TableFormat, typer.Option("--format", help="tables to read, JSON with stable keys, or CSV: milliseconds")
    ] = TableFormat.TABLE,
) -> None:
    """What was found for each device, what it costs on all others, and what one loses by taking another's.

    Example: nas devices runs/three_devices
    """
    from nas.sweeps.matrix import open_devices

    found = open_devices(folder)
    if format is TableFormat.JSON:
        say(json_text(found.to_dict()))
    elif format is TableFormat.CSV:
        say(found.frame().to_csv().rstrip())
    else:
        show_devices(Screen(), found)


def run_devices(config: "ExperimentConfig", out: Path, /) -> bool:
    """Search for every device of a config, and say what was found.

    Returns:
        Whether every device's target is met.
    """
    from nas.search.progress import Listeners
    from nas.sweeps.devices import BEST_FOR_ALL, search_devices
    from nas.sweeps.matrix import open_devices

    screen = Screen()

    def introduce(name: str, experiment: object) -> None:
        screen.sentence(f"search {name} -> {out / name}", style="bold")

    listeners = Listeners(on_round=lambda done: screen.sentence(f"  {done.sentence(score='score')}"))
    folder = search_devices(config, out=out, listeners=listeners, on_device=introduce)
    found = open_devices(folder)
    show_devices(screen, found)
    screen.sentence(f"next: nas devices {out} says this again; nas report {out}/NAME tells one search as a page")
    return all(cell.meets for cell in found.cells if cell.found_for == cell.device or cell.found_for == BEST_FOR_ALL)


def show_devices(screen: Screen, found: "DeviceMatrix", /) -> None:
    """The matrix of milliseconds, and the best for all."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="milliseconds, and share of the device's target")
    table.add_column("found for", overflow="fold")
    table.add_column(score_label(found.score), justify="right")
    for device in found.devices:
        table.add_column(in_one_line(device), justify="right", overflow="fold")
    for name in found.architectures:
        row = [cell for cell in found.cells if cell.found_for == name]
        texts = (f"{cell.latency_ms:.3f} ({cell.target_share:.2f}{'' if cell.meets else ' MISSED'})" for cell in row)
        table.add_row(in_one_line(name), f"{row[0].score:.4f}", *texts)
    screen.print(table)
    for cell in found.cells:
        if cell.found_for in found.devices and cell.found_for != cell.device:
            shown = f"{abs(cell.loss):.4f}"
            lost = "the same" if not float(shown) else f"{shown} {'worse' if cell.loss > 0 else 'better'}"
            misses = "" if cell.meets else f", and misses the target there by {cell.target_share - 1:.1%}"
            screen.sentence(
                in_one_line(f"on {cell.device}, the architecture of {cell.found_for} scores {lost}{misses}")
            )
    best = found.minimax
    met = "meets every target" if best.worst_share <= 1 else f"misses a target by {best.worst_share - 1:.1%}"
    screen.sentence(
        in_one_line(
            f"best for all of what was scored: {best.architecture.arch_id}, round {best.round} of {best.search}, "
            f"{score_label(found.score)} {best.score:.4f}; {met}"
        )
    )
    for notice in found.notices:
        screen.sentence(in_one_line(f"note: {notice}"))
