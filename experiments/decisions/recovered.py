"""What some removals lose after a short training: the table of `experiments.decisions.screens` takes it up.

    python -m experiments.decisions.recovered --out runs/decisions/screens --num 12

Each network, the base among them, is trained alike from the bundled weights: the same batches, noise and rate. Its
loss is the base's CLIP score after that training less its own, caption by caption. `OUT/trained-STEPSxBATCH-CAPTIONS`
holds the scores and the losses of every training step, `OUT/recovered.json` the mean losses by action; a second call
goes on from the first. Prints each removal's loss with its standard error, and how well the captions tell
them apart. Cost: 40 s of an idle core per removal.

On a GPU all processes share it: `--device cuda --processes 12 --batch-size 64 --chunk-size 128`.
"""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from experiments.command import run
from experiments.decisions.bundled import space_of
from experiments.decisions.ranking import halves, spread_of
from experiments.decisions.trainings import (
    BASE,
    BatchSize,
    ChunkSize,
    Device,
    NumPictures,
    Processes,
    Recipe,
    ShortTrainings,
    mean_and_error,
)
from experiments.skipping.study import evenly
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm


def main(
    out: Annotated[Path, typer.Option(help="folder of the table; a second call goes on from it")],
    num: Annotated[int, typer.Option(min=2, help="removals, evenly from all")] = 12,
    steps: Annotated[int, typer.Option(min=1, help="training steps of each")] = 60,
    num_prompts: Annotated[int, typer.Option(min=2, help="captions that each is scored on")] = 128,
    num_pictures: NumPictures = 1024,
    batch_size: BatchSize = 16,
    chunk_size: ChunkSize = 32,
    device: Device = "cpu",
    processes: Processes = 1,
) -> None:
    """Train some removals for a short while, and score them."""
    recipe = Recipe(
        steps=steps,
        num_prompts=num_prompts,
        num_pictures=num_pictures,
        batch_size=batch_size,
        chunk_size=chunk_size,
        device=device,
    )
    space = space_of(SpaceForm.ANY)
    removals = {str(action): action.apply(space.base) for action in sorted(space.removals(space.base))}
    chosen = {BASE: space.base} | {name: removals[name] for name in evenly(list(removals), num)}
    trained = ShortTrainings(out, recipe).all(chosen, processes=processes)
    base = trained.pop(BASE)
    recovered, lines = {}, ["| removal | CLIP lost after training |", "|---|---:|"]
    for name, own in trained.items():
        recovered[name], error = mean_and_error(np.subtract(base.scores, own.scores))
        lines.append(f"| `{name}` | {recovered[name]:+.4f} ± {error:.4f} |")
    told = halves(pd.DataFrame({name: np.subtract(base.scores, own.scores) for name, own in trained.items()}).T)
    lines += ["", f"tau of one half of the captions with the other: {spread_of(told)}, about what a ranking can show"]
    write_text(out / "recovered.json", json.dumps(recovered, indent=2) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    run(main)
