"""The paper's ablations on the bundled model: every case trained once, drawn with the same captions, and compared.

    python -m experiments.ablations --out runs/ablations           all figures, the most important first
    python -m experiments.ablations 6c 6a --out runs/ablations     some of them

A second call goes on where the first stopped, and only draws the figures again where all is done. OUT gets a folder
for each figure with its curves and claims, and `ablations.csv` and `ablations.md` with those of all.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

import nas
from experiments.ablations.making import COMPARED_WITH, TRAINED_ON, check_pictures, folder_of, without
from experiments.ablations.plan import read_ablations
from experiments.ablations.telling import write_figure_tables, write_page
from experiments.command import run
from nas.curves.asked.reading import made_of
from nas.curves.figure import curves_figure
from nas.reports.writing import write_figure
from search_spaces.files.user_error import UserError


def main(
    figures: Annotated[list[str] | None, typer.Argument(help="such as 6c; none = all")] = None,
    out: Annotated[Path, typer.Option(help="folder of everything; a second call goes on from it")] = Path(
        "runs/ablations"
    ),
) -> None:
    """Train what is missing, evaluate, and say how far the paper's claims hold."""
    torch.set_num_threads(1)
    ablations, out = read_ablations(), out.absolute()
    evaluation = made_of(ablations.evaluation, name="evaluation")
    if unknown := [name for name in figures or () if name not in ablations.figures]:
        raise UserError(f"figures must be among {', '.join(ablations.figures)}, but got {', '.join(unknown)}")
    check_pictures({TRAINED_ON: ablations.pictures, COMPARED_WITH: evaluation.pictures})
    for name in figures or ablations.figures:
        figure = ablations.figures[name]
        folders = [
            without(figure.removed, folder_of(ablations, case, out=out), place=out / name / "removed" / case)
            for case in figure.cases
        ]
        settings = replace(evaluation, steps=(figure.steps,))
        curves = nas.run_evaluation(
            folders, settings=settings, out=out / name, store=out / "evaluations", names=figure.cases
        )
        write_figure(curves_figure(curves), out / name / "curves.png")
        write_figure_tables(figure, curves, folder=out / name)
        write_page(ablations, out=out)
    print(write_page(ablations, out=out))


if __name__ == "__main__":
    run(main)
