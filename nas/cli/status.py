"""`nas status`: how far a run is, what every round cost, and which of them is the result."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, say, styled
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import Format, FormatOption, score_label

if TYPE_CHECKING:
    import pandas as pd


@user_errors
def status(
    run: Annotated[Path, typer.Argument(help="run directory; may be in progress")], format: FormatOption = Format.TABLE
) -> None:
    """How far a run is: rounds and their scores, what each executed action saved and cost, which round was chosen."""
    from nas.runs.directory import RunDirectory
    from nas.runs.events import STARTS
    from nas.runs.frames.rounds import evaluation_frame, round_frame
    from nas.runs.trace import read_trace

    directory = RunDirectory(run)
    directory.read_config()
    events = read_trace(directory.trace_path)
    starts = [e for e in events if e["event"] in STARTS]
    started = starts[-1] if starts else {}
    finished = events[-1] if events and events[-1]["event"] == "search_finished" else None
    rounds = round_frame(events)
    if format is Format.JSON:
        summary = {
            "state": "finished" if finished else "unfinished",
            "stop": finished and finished["stop"],
            "target_met": finished and finished["target_met"],
            "found_round": finished and finished["round"],
            "target_latency_ms": started.get("target_latency_ms"),
            "base_latency_ms": started.get("base_latency_ms"),
            **({"score": started["score"]} if "score" in started else {}),
            "table_distrust": started.get("runtime", {}).get("distrust"),
            "num_events": len(events),
            "rounds": json.loads(rounds.to_json(orient="records")),
        }
        say(json.dumps(summary, indent=2))
        return
    screen = Screen()
    state = f"finished, {finished['stop']}" if finished else "unfinished"
    screen.sentence(f"{run}: {state}", style="bold")
    score = score_label(started.get("score", {}).get("name", "clip"))
    screen.print(_rounds(rounds, score=score, found=finished["arch_id"] if finished else None))
    if (executed := _executed(events, evaluation_frame(events), score=score)).row_count:
        screen.print(executed)
    if started:
        screen.sentence(f"base {started['base_latency_ms']:.3f} ms, target {started['target_latency_ms']:.3f} ms")
        if finished is not None and not finished["target_met"]:
            screen.sentence("TARGET NOT MET: the nearest architecture is marked", style="yellow")
        if why := started.get("runtime", {}).get("distrust"):
            screen.sentence(f"the latency table: {why}", style="yellow")


def _rounds(rounds: "pd.DataFrame", *, score: str, found: str | None) -> Table:
    """A row per round; the one that was found is marked."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("round", "ms", score, "interval", "params", "then", ""):
        table.add_column(name, justify="left" if name in ("then", "") else "right", no_wrap=True)
    for row in rounds.to_dict(orient="records"):
        num = len(str(row["actions"]).split())
        table.add_row(
            str(row["round"]),
            f"{row['predicted_latency_ms']:.3f}",
            f"{row['clip']:.4f}",
            f"{row['clip_low']:.4f} .. {row['clip_high']:.4f}",
            f"{row['num_params'] / 1e6:.2f} M",
            f"{num} action{'s'[: num > 1]}" if num else "",
            styled("<- found", "bold green") if row["arch_id"] == found else "",
        )
    return table


def _executed(events: Sequence[Mapping[str, Any]], scored: "pd.DataFrame", *, score: str) -> Table:
    """A row per action that was executed: what it saved and cost when it was scored, alone."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("round", "executed", "saves ms", f"costs {score}", "interval"):
        table.add_column(name, justify="left" if name == "executed" else "right", no_wrap=name != "executed")
    costs = {(row["round"], row["action"]): row for row in scored.to_dict(orient="records")}
    for event in events:
        for action in event["actions"] if event["event"] == "decision" else ():
            row = costs.get((event["round"], action))
            numbers = (
                ("", "", "")
                if row is None
                else (
                    f"{row['d_latency_ms']:.3f}",
                    f"{row['d_clip']:+.4f}",
                    f"{row['d_clip_low']:+.4f} .. {row['d_clip_high']:+.4f}",
                )
            )
            table.add_row(str(event["round"]), action, *numbers)
    return table
