"""`nas status`: how far a run is, what every round cost, which is the result, and how sure each decision was."""

import time
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.cli.screen.console import Group, RenderableType, Screen, in_one_line, say, styled
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import TableFormat
from nas.cli.screen.json_text import json_text
from nas.reports.limits import limit_sentences
from nas.runs.trace import num_passes
from nas.scores.held_out import held_out_scores
from nas.scores.labels import score_label
from nas.values.rule import UNTOLD

if TYPE_CHECKING:
    import pandas as pd

    from nas.runs.run import Run

_PAUSE_S: Final = 2.0
_STYLES: Final = {"finished": "bold green", "running": "bold cyan", "interrupted": "bold yellow"}


@user_errors
def status(
    run: Annotated[Path, typer.Argument(help="run directory, which may be in progress, or sample, which is bundled")],
    format: Annotated[
        TableFormat, typer.Option("--format", help="tables to read, JSON with stable keys, or CSV, a row per round")
    ] = TableFormat.TABLE,
    watch: Annotated[bool, typer.Option("--watch", help="show it anew every 2 s while the search runs")] = False,
) -> None:
    """How far a run is: rounds and their scores, what each executed action saved and cost, how sure it was.

    "sure" is the chance that an executed action is truly as good as the best one that was left, which would have been
    next: 50 % is a toss. Below it, of each round as a whole: how
    likely no other choice would lose less for the same milliseconds, and what the best one would lose less.

    Example: nas status runs/demo --watch
    """
    from nas.runs.run import open_run

    opened = open_run(run)
    if format is TableFormat.JSON:
        say(json_text(_summary(opened)))
    elif format is TableFormat.CSV:
        say(opened.rounds().to_csv(index=False).rstrip())
    elif not watch:
        screen = Screen()
        for part in _shown(opened, run):  # a sentence is broken by the terminal, so that it can be copied as a whole
            screen.print(part, soft_wrap=isinstance(part, Text))
    else:
        with Live(Group(*_shown(opened, run)), console=Screen(), auto_refresh=False) as live:
            while opened.state == "running":
                time.sleep(_PAUSE_S)
                opened = open_run(run)
                live.update(Group(*_shown(opened, run)), refresh=True)


def _summary(run: "Run") -> dict[str, Any]:
    """What JSON says; keys are added, never renamed or removed."""
    started, finished = run.start, run.events[-1] if run.is_finished else None
    return {
        "state": run.state,
        "stop": finished and finished["stop"],
        "target_met": finished and finished["target_met"],
        "found_round": finished and finished["round"],
        **({} if (truth := held_out_scores(run.events)) is None else {"held_out": truth.plain()}),
        "target_latency_ms": started.get("target_latency_ms"),
        "base_latency_ms": started.get("base_latency_ms"),
        **({"score": started["score"]} if "score" in started else {}),
        "table_distrust": started.get("runtime", {}).get("distrust"),
        "num_events": len(run.events),
        **_limited(run),
        "hours": run.hours,
        "last_time": run.last_time,
        "num_passes": num_passes(run.events),
        "rounds": run.rounds().to_dict(orient="records"),
        "decisions": run.decisions().to_dict(orient="records"),
        "notices": list(run.notices),
    }


def _limited(run: "Run") -> dict[str, Any]:
    """What JSON says of limits and further targets, where there are any."""
    started, finished = run.start, run.events[-1] if run.is_finished else {}
    found = {"limits": started.get("limits"), "easier_targets_ms": started.get("easier_targets_ms")}
    found |= {"missed_by": finished.get("missed_by"), "results": finished.get("results")}
    refused = [event for event in run.events if event["event"] == "refused"]
    if refused:
        found["num_refused"] = sum(event["num_architectures"] for event in refused)
        found["num_pictures_saved"] = sum(event["num_pictures"] for event in refused)
    return {name: value for name, value in found.items() if value is not None}


def _shown(run: "Run", path: Path) -> list[RenderableType]:
    """All of it, for a terminal."""
    from nas.runs.frames.rounds import screened_rounds

    started, finished = run.start, run.events[-1] if run.is_finished else None
    score, rounds, decisions = score_label(run.score), run.rounds(), run.decisions()
    state = f"finished, {finished['stop']}" if finished else run.state
    parts: list[RenderableType] = [_line(f"{path}: {state}", style=_STYLES[run.state])]
    parts.append(
        _rounds(
            rounds, name=run.score, score=score, found=(finished["round"], finished["arch_id"]) if finished else None
        )
    )
    executed = decisions[decisions["action"].notna()]
    if len(executed):
        parts.append(_executed(executed, name=run.score, score=score))
        if executed["screened_by"].notna().any():
            parts.append(_line("a cheap score says what an action makes worse: 0 = no change, a minus is a gain"))
        if executed["action"].str.startswith("+").any():
            parts.append(_line("(...): a copy has the numbers of its block's removal, by which it was chosen"))
        for number, rival in executed.groupby("round")["runner_up"].last().items():
            if rival is not None:
                parts.append(_line(f"next in round {number} would have been {rival}"))
        for row in executed[executed["chance_right"].notna()].drop_duplicates("round").to_dict(orient="records"):
            parts.append(_line(_certainty(row["round"], row["chance_right"], row["expected_loss"], score=score)))
    parts += [_line(sentence) for sentence in screened_rounds(run.events)]
    if passes := num_passes(run.events):
        parts.append(_line(f"UNet passes of other scores than {score}, what workers prepared included: {passes:,}"))
    parts += [_line(note) for note in _told(run)]
    if started:
        parts.append(_line(f"base {started['base_latency_ms']:.3f} ms, target {started['target_latency_ms']:.3f} ms"))
        if finished is not None and not finished["target_met"]:
            parts.append(_line("TARGET NOT MET: the nearest architecture is marked", style="yellow"))
        if (truth := held_out_scores(run.events)) is not None:
            parts.append(_line(f"on captions that no decision saw: {truth.words()}"))
        elif finished is not None:
            parts.append(_line(f"these {score} scores are selection scores: no captions were held out"))
        if why := started.get("runtime", {}).get("distrust"):
            parts.append(_line(f"the latency table: {why}", style="yellow"))
    parts += [_line(sentence) for sentence in limit_sentences(run.events)]
    parts += [_line(f"note: {notice}", style="yellow") for notice in run.notices]
    return parts


def _told(run: "Run") -> list[str]:
    """What the algorithm told: how many architectures it scored, and whatever else, a line a round."""
    notes = [(e["round"], dict(e["notes"])) for e in run.events if e["event"] == "decision" and e.get("notes")]
    nums = [note.pop("num_scored") for _, note in notes if "num_scored" in note]
    lines = [f"{nums[-1]} architectures scored in {len(nums)} batches"] if nums else []
    for number, note in notes:
        told = (
            f"{name} {value:.4g}" if isinstance(value, (int, float)) else f"{name} {value}"
            for name, value in note.items()
        )
        lines += [f"round {number}: {', '.join(told)}"] if note else []
    return lines


def _line(text: str, *, style: str = "") -> Text:
    return styled(in_one_line(text), style)


def _rounds(rounds: "pd.DataFrame", *, name: str, score: str, found: tuple[int, str] | None) -> Table:
    """A row per round; the one that was found is marked."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in ("round", "ms", score, "interval", "params", "then", ""):
        table.add_column(column, justify="left" if column in ("then", "") else "right", no_wrap=True)
    for row in rounds.to_dict(orient="records"):
        num = len(str(row["actions"]).split())
        table.add_row(
            str(row["round"]),
            f"{row['predicted_latency_ms']:.3f}",
            f"{row[name]:.4f}",
            f"{row[f'{name}_low']:.4f} .. {row[f'{name}_high']:.4f}",
            f"{row['num_params'] / 1e6:.2f} M",
            f"{num} action{'s'[: num > 1]}" if num else "",
            styled("<- found", "bold green") if (row["round"], row["arch_id"]) == found else "",
        )
    return table


def _seen(value: float, sign: str = "", /) -> str:
    """A score to four places; one that is too small for them as a power of ten, since it may be a sure one."""
    text = f"{value:{sign}.4f}"
    return f"{value:{sign}.0e}" if value and not float(text) else text


def _certainty(number: int, chance_right: float, expected_loss: float, *, score: str) -> str:
    """How sure a round's actions are, all together."""
    told = f"round {number} as a whole is right with {chance_right:.0%}"
    if not expected_loss:
        return f"{told}; no choice is better"
    cost = f"a better choice would lose {_seen(expected_loss)} {score} less in the mean by what the prompts show"
    return f"{told}; {cost} (where the truth is known, {UNTOLD} times that)"


def _executed(decisions: "pd.DataFrame", *, name: str, score: str) -> Table:
    """A row per executed action: what it saved and cost when it was scored, alone; and how sure it was.

    What a cheap score said of it has columns of its own; those of the run's own score are left out where nothing was
    scored by that.
    """
    loss = f"d_{name}"
    numbers = dict[tuple[str, ...], str]()
    if decisions[loss].notna().any():
        numbers[f"costs {score}", "±", "sure"] = loss
    for by, part in decisions[decisions["screened_by"].notna()].groupby("screened_by"):
        unit = part["unit"].iloc[0]
        numbers[f"{by}, {unit}" if unit else str(by), "±"] = "change"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in ("round", "executed", "saves ms", *(head for heads in numbers for head in heads)):
        table.add_column(column, justify="left" if column == "executed" else "right", no_wrap=column != "executed")
    for row in decisions.to_dict(orient="records"):
        cells = ["" if isnan(row["d_latency_ms"]) else f"{row['d_latency_ms']:.3f}"]
        for heads, each in numbers.items():
            known = not isnan(row[each]) and (each == loss or heads[0].startswith(str(row["screened_by"])))
            half = (row[f"{each}_high"] - row[f"{each}_low"]) / 2
            cells += [_seen(row[each], "+"), _seen(half)] if known else ["", ""]
            cells += [] if each != loss else ["" if isnan(row["chance"]) else f"{row['chance']:.0%}"]
        if str(row["action"]).startswith("+"):
            cells = [f"({cell})" if cell and not cell.endswith("%") else cell for cell in cells]
        table.add_row(str(row["round"]), str(row["action"]), *cells)
    return table
