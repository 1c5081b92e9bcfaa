"""`nas status`: how far a run is."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nas.cli.errors import user_errors
from nas.cli.formats import Format, FormatOption


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
