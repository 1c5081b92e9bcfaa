"""True loss of every rule and race against the UNet passes that it takes: a table, and the picture of the docs.

    python -m experiments.decisions --recorded runs/decisions --out runs/decisions/study.csv

Question: how few captions does a right decision need? Expected: a rule that knows how sure it is needs a fraction of
the captions of the paper's. Refuted if the paper's curve lies below the others. Cost: a minute or two of a core.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from experiments.decisions.picture import picture
from experiments.decisions.recorded import read_recorded
from experiments.decisions.replay import replays
from nas.reports.writing import write_figure
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm


def main(
    recorded: Annotated[Path, typer.Option(help="folder of `python -m experiments.decisions.record`")],
    out: Annotated[Path, typer.Option(help="CSV, a row per decision; the picture stands beside it as .png")],
    space: Annotated[SpaceForm, typer.Option(help="which recording")] = SpaceForm.ANY,
    seeds: Annotated[int, typer.Option(min=1, help="shuffles of the captions")] = 20,
    num_captions: Annotated[int, typer.Option(min=8, help="that a decision may use; the others judge it")] = 256,
    method: Annotated[list[str] | None, typer.Option(help="beginning of a method's name; may be repeated")] = None,
) -> None:
    """True loss of every rule and race against the UNet passes that it takes."""
    rows = replays(read_recorded(recorded, space), seeds=seeds, num_captions=num_captions, methods=method or [])
    frame = pd.DataFrame([asdict(row) for row in rows])
    write_text(out, frame.to_csv(index=False))
    write_figure(picture(frame), out.with_suffix(".png"))
    print(table(frame))


def table(frame: pd.DataFrame, /) -> str:
    """Markdown: a row per method and setting, mean true loss (spread over seeds) and captions at each target."""
    ratios = sorted(frame["ratio"].unique(), reverse=True)
    heads = [f"true loss at {ratio:.0%} | captions" for ratio in ratios]
    lines = [f"| method | setting | {' | '.join(heads)} |", "|---|---|" + "---|---|" * len(ratios)]
    for (method, setting), part in frame.groupby(["method", "setting"], sort=False):
        cells = [
            f"{own['true_loss'].mean():+.4f} ({own['true_loss'].std(ddof=0):.4f}) | {own['captions'].mean():.0f}"
            for own in (part[part["ratio"] == ratio] for ratio in ratios)
        ]
        lines.append(f"| {method} | {setting} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
