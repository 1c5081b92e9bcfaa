r"""True loss of every rule and race against the UNet passes that it takes: a table, and the picture of the docs.

    python -m experiments.decisions --recorded runs/decisions --screens runs/decisions/screens --out runs/study.csv

Question: how few captions does a right decision need? Expected: a rule that knows how sure it is needs a fraction of
the captions of the paper's. Refuted if the paper's curve lies below the others. Cost: a minute or two of a core.

    python -m experiments.decisions --recorded runs/fifty --fewer-steps runs/four --num-captions 1024 \
        --out runs/fifty.csv

judges by pictures of as many steps as the first recording has, and decides by those of either.
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from experiments.command import run
from experiments.decisions.picture import picture
from experiments.decisions.recorded import part_of, read_changes, read_recorded
from experiments.decisions.replay import RATIOS, replays
from nas.reports.writing import write_figure
from nas.values.rule import Rule
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm


def main(
    recorded: Annotated[Path, typer.Option(help="folder of `python -m experiments.decisions.record`")],
    out: Annotated[Path, typer.Option(help="CSV, a row per decision; the picture stands beside it as .png")],
    fewer_steps: Annotated[
        Path | None, typer.Option(help="a recording of the same captions with fewer steps, which decides too")
    ] = None,
    screens: Annotated[Path | None, typer.Option(help="folder of `python -m experiments.decisions.screens`")] = None,
    space: Annotated[SpaceForm, typer.Option(help="which recording")] = SpaceForm.ANY,
    seeds: Annotated[int, typer.Option(min=1, help="shuffles of the captions")] = 20,
    num_captions: Annotated[int, typer.Option(min=8, help="that a decision may use; the others judge it")] = 256,
    method: Annotated[list[str] | None, typer.Option(help="beginning of a method's name; may be repeated")] = None,
    ratio: Annotated[
        list[float] | None,
        typer.Option(help="share of the base's latency; may be repeated; left out = 0.75, 0.62 and 0.5"),
    ] = None,
) -> None:
    """True loss of every rule and race against the UNet passes that it takes."""
    known = read_recorded(recorded, space)
    changes = {} if screens is None else read_changes(screens, known.actions)
    replayed = partial(replays, seeds=seeds, num_captions=num_captions, methods=method or [], ratios=ratio or RATIOS)
    cheaper = None if fewer_steps is None else part_of(read_recorded(fewer_steps, space), known)
    rows = [*replayed(known, changes=changes)]
    if cheaper is not None:
        name = f", {cheaper.passes_per_picture} passes a picture"
        rows += (replace(row, method=row.method + name) for row in replayed(cheaper, judge=known, changes={}))
    frame = pd.DataFrame([asdict(row) for row in rows])
    write_text(out, frame.to_csv(index=False))
    write_figure(picture(frame), out.with_suffix(".png"))
    print(table(frame))


def table(frame: pd.DataFrame, /) -> str:
    """Markdown: a row per method and setting; mean true loss (spread over seeds), difference and passes per target.

    The difference is to the paper's rule with all captions, seed by seed, with its standard error over seeds.
    """
    ratios = sorted(frame["ratio"].unique(), reverse=True)
    heads = [f"true loss at {ratio:.0%} | less the paper's | passes" for ratio in ratios]
    lines = [f"| method | setting | {' | '.join(heads)} |", "|---|---|" + "---|---|---|" * len(ratios)]
    full = frame[frame["method"] == Rule.PAPER.value].sort_values("captions").groupby(["ratio", "seed"])["true_loss"]
    paper = full.last()
    for (method, setting), part in frame.groupby(["method", "setting"], sort=False):
        cells = []
        for ratio in ratios:
            own = part[part["ratio"] == ratio].set_index("seed")
            losses = own["true_loss"]
            told = ""
            if ratio in paper.index:
                less = losses - paper.loc[ratio]
                told = f"{less.mean():+.4f} ± {less.std(ddof=1) / len(less) ** 0.5:.4f}"
            cells.append(f"{losses.mean():+.4f} ({losses.std(ddof=0):.4f}) | {told} | {own['passes'].mean():.0f}")
        lines.append(f"| {method} | {setting} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
