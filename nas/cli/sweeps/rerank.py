"""`nas rerank`: the finalists of a search after short recovery trainings, and the final choice."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line, say
from nas.cli.screen.errors import logged_in, user_errors
from nas.cli.screen.formats import Format, FormatOption
from nas.cli.screen.json_text import json_text
from nas.scores.labels import score_label
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.reports.recovery import RecoveryCurves


@user_errors
def rerank(
    run: Annotated[Path, typer.Argument(help="run directory of a search that has scored something")],
    top: Annotated[int, typer.Option(min=2, help="finalists: the best that keep the run's limits")] = 5,
    lengths: Annotated[
        str, typer.Option(help="shares of the recovery training at which they are scored")
    ] = "0,0.25,0.5,1",
    keep: Annotated[
        float, typer.Option(min=0.01, max=1, help="share that goes on after each length; 0.5 = successive halving")
    ] = 1.0,
    weights: Annotated[
        str,
        typer.Option(help="all recover from what the search started with (start), or from what it ended with (found)"),
    ] = "start",
    steps: Annotated[
        int | None, typer.Option(min=1, help="of the whole recovery training (default: the run's own)")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="run directory of the re-ranking (default: RUN-rerank)")] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Rank the best of a search again after short recovery trainings: ranks before training are known to flip.

    The same command continues an interrupted re-ranking. It is a run like any other: `nas report`, `nas export`,
    `nas status` read it, and `nas plot recovery` draws its curves.

    Example: nas rerank runs/demo --top 4 --steps 200
    """
    from nas.runs.run import open_run

    open_run(run)  # a wrong name is told before the libraries are loaded
    from nas.reports.recovery import recovery_curves
    from nas.search.progress import Listeners
    from nas.sweeps.rerank import rerank as rank_again

    path = out or run.with_name(f"{run.resolve().name}-rerank")
    screen = Screen(stderr=True)
    with logged_in(path), screen.status(f"ranking finalists of {run} again in {path}") as status:
        listeners = Listeners(
            on_progress=lambda now: status.update(f"{now.phase}, length {now.round}: {now.done} of {now.total}")
        )
        found = rank_again(
            run,
            out=path,
            listeners=listeners,
            num_finalists=top,
            lengths=_numbers(lengths),
            keep=keep,
            weights=weights,
            steps=steps,
        )
    curves = recovery_curves(found)
    if format is Format.JSON:
        say(json_text({"run": str(path), "parent": str(run), **curves.to_dict()}))
        return
    screen = Screen()
    screen.print(_table(curves, score=score_label(found.score)))
    for change in curves.changes:
        first = "the first stays" if change.first_stays else "the first changes"
        screen.sentence(
            f"from {change.before:g} to {change.after:g} of the training: Kendall's tau {change.tau:.2f}, "
            f"{change.flips} pairs of {change.num * (change.num - 1) // 2} flip, {first}"
        )
    screen.sentence(in_one_line(f"final choice: {found.spec['name']}, architecture {found.architecture.arch_id}"))
    screen.sentence(f"next: nas export {path} writes it; nas plot recovery {path} draws the curves")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UserError(
            f"`--lengths` must be numbers with commas between them, such as 0,0.5,1, but got {text!r:.100}"
        ) from None


def _table(curves: "RecoveryCurves", *, score: str) -> Table:
    """A row per finalist, a column per length: its score and its rank there."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"{score} after each length, and rank")
    lengths = sorted(curves.frame["length"].unique())
    for column in ("finalist", "architecture", "ms", *(f"{length:g}" for length in lengths)):
        table.add_column(column, justify="left" if column == "architecture" else "right")
    for number, part in curves.frame.groupby("finalist"):
        by_length = {row["length"]: row for row in part.to_dict(orient="records")}
        cells = (
            f"{by_length[length]['mean']:.4f} ({by_length[length]['rank']})" if length in by_length else ""
            for length in lengths
        )
        first = part.iloc[0]
        table.add_row(str(number), str(first["arch_id"]), f"{first['predicted_latency_ms']:.3f}", *cells)
    return table
