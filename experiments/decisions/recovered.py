"""What some removals lose after a short training: the table of `experiments.decisions.screens` takes it up.

    python -m experiments.decisions.recovered --out runs/decisions/screens --num 12

Each network, the base among them, is trained alike from the bundled weights: the same batches, noise and rate. Its
loss is the base's CLIP score after that training less its own. `OUT/recovered.json` holds the losses by action, and a
second call goes on from it. Cost: 40 s of an idle core per removal.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.progress import track

from experiments.skipping.bench import Judged, Trainer, start_threads, write_data
from experiments.skipping.one import Ledger
from experiments.skipping.study import Study, evenly
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.__main__ import write_pictures

PICTURES_SEED = 5


def main(
    out: Annotated[Path, typer.Option(help="folder of the table; a second call goes on from it")],
    num: Annotated[int, typer.Option(min=2, help="removals, evenly from all")] = 12,
    steps: Annotated[int, typer.Option(min=1, help="training steps of each")] = 60,
    num_pictures: Annotated[int, typer.Option(min=1, help="rendered pictures to train on")] = 1024,
) -> None:
    """Train some removals for a short while, and score them."""
    study = Study(
        unet=str(PIPELINE_DIR / "unet"),
        pipeline=str(PIPELINE_DIR),
        clip=str(OPEN_CLIP_DIR),
        captions=str(CAPTIONS_FILE),
        pictures=str(out / "pictures"),
        steps=0,
        recovery_steps=steps,
        batch_size=16,
        learning_rate=2e-4,
        num_prompts=128,
        chunk_size=32,
        sampling_steps=4,
        guidance=2.0,
        num_removals=num,
        num_recovered=num,
        found_share=1.0,
        device="cpu",
    )
    start_threads(study.device)
    if not (out / "pictures").exists():
        write_pictures(out / "pictures", num=num_pictures, seed=PICTURES_SEED)
    data = out / f"data-{num_pictures}.safetensors"
    if not data.exists():
        write_data(data, study)
    judged = Judged(study, Path(study.unet))
    trainer, space = Trainer(study, judged.supernet, data=data), judged.supernet.space
    weights = {name: each.clone() for name, each in judged.supernet.weights().items()}
    ledger = Ledger(out / "recovered.json")

    def recovered(architecture: Architecture) -> float:
        trainer.train(architecture, Skipping(probability=0.0), num_steps=steps, seed=0)
        number = fmean(judged.scores(architecture))
        judged.supernet.load_weights(weights)
        return number

    base = ledger.get("base", lambda: recovered(space.base))
    removals = {str(action): action for action in sorted(space.removals(space.base))}
    for name in track(evenly(list(removals), num), description="training"):
        ledger.get(name, partial(_loss, base, recovered, removals[name].apply(space.base)))


def _loss(base: float, recovered: Callable[[Architecture], float], architecture: Architecture) -> float:
    return base - recovered(architecture)


if __name__ == "__main__":
    typer.run(main)
