"""What some removals lose after a short training: the table of `experiments.decisions.screens` takes it up.

    python -m experiments.decisions.recovered --out runs/decisions/screens --num 12

Each network, the base among them, is trained alike from the bundled weights: the same batches, noise and rate. Its
loss is the base's CLIP score after that training less its own, caption by caption. `OUT/trained-STEPS-CAPTIONS.json`
holds the scores and the losses of every training step, `OUT/recovered.json` the mean losses by action; a second call
goes on from the first. Prints each removal's loss with its standard error. Cost: 40 s of an idle core per removal.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.progress import track

from experiments.skipping.bench import Judged, Trainer, start_threads, write_data
from experiments.skipping.study import Study, evenly
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.__main__ import write_pictures
from search_spaces.unets.space import UNetSpace

PICTURES_SEED: Final = 5
BASE: Final = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network after a short training.

    Attributes:
        scores: CLIP score of every caption.
        losses: Error of the prediction in every training step; of the same batches and noise for every network.
    """

    scores: list[float]
    losses: list[float]


class ShortTrainings:
    """Networks of the bundled model, each trained alike from the bundled weights; what is known stays in a file.

    Args:
        out: Folder.
        steps: Training steps of each.
        num_prompts: Captions that each is scored on.
        num_pictures: Rendered pictures to train on.
        captions: File of them, of which the first so many count.
    """

    def __init__(
        self, out: Path, /, *, steps: int, num_prompts: int, num_pictures: int, captions: Path = CAPTIONS_FILE
    ) -> None:
        self._steps, self._num_prompts, self._path = steps, num_prompts, out / f"trained-{steps}-{num_prompts}.json"
        self._known: dict[str, Any] = read_json_object(self._path) if self._path.exists() else {}
        self._study = Study(
            unet=str(PIPELINE_DIR / "unet"),
            pipeline=str(PIPELINE_DIR),
            clip=str(OPEN_CLIP_DIR),
            captions=str(captions),
            pictures=str(out / "pictures"),
            steps=0,
            recovery_steps=steps,
            batch_size=16,
            learning_rate=2e-4,
            num_prompts=num_prompts,
            chunk_size=32,
            sampling_steps=4,
            guidance=2.0,
            num_removals=0,
            num_recovered=0,
            found_share=1.0,
            device="cpu",
        )
        start_threads(self._study.device)
        if not (out / "pictures").exists():
            write_pictures(out / "pictures", num=num_pictures, seed=PICTURES_SEED)
        data = out / f"data-{num_pictures}.safetensors"
        if not data.exists():
            write_data(data, self._study)
        self._judged = Judged(self._study, Path(self._study.unet))
        self._trainer = Trainer(self._study, self._judged.supernet, data=data)
        self._weights = {name: each.clone() for name, each in self._judged.supernet.weights().items()}

    @property
    def space(self) -> UNetSpace:
        """Of the bundled model."""
        return self._judged.supernet.space

    def of(self, name: str, architecture: Architecture, /) -> Trained:
        """A network after its training.

        Args:
            name: Under which it is kept.
            architecture: Of it.
        """
        if name not in self._known:
            supernet = self._judged.supernet
            losses = self._trainer.train(architecture, Skipping(probability=0.0), num_steps=self._steps, seed=0)
            trained = Trained(scores=self._judged.scores(architecture), losses=losses)
            supernet.forget_copies()
            supernet.load_weights(self._weights)
            self._known[name] = asdict(trained)
            write_text(self._path, json.dumps(self._known) + "\n")
        return Trained(**self._known[name])


def mean_and_error(differences: Any, /) -> tuple[float, float]:
    """Mean of paired differences, and its standard error."""
    values = np.asarray(differences, dtype=np.float64)
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)


def main(
    out: Annotated[Path, typer.Option(help="folder of the table; a second call goes on from it")],
    num: Annotated[int, typer.Option(min=2, help="removals, evenly from all")] = 12,
    steps: Annotated[int, typer.Option(min=1, help="training steps of each")] = 60,
    num_prompts: Annotated[int, typer.Option(min=2, help="captions that each is scored on")] = 128,
    num_pictures: Annotated[int, typer.Option(min=1, help="rendered pictures to train on")] = 1024,
) -> None:
    """Train some removals for a short while, and score them."""
    trainings = ShortTrainings(out, steps=steps, num_prompts=num_prompts, num_pictures=num_pictures)
    base = trainings.of(BASE, trainings.space.base)
    removals = {str(action): action for action in sorted(trainings.space.removals(trainings.space.base))}
    recovered, lines = {}, ["| removal | CLIP lost after training |", "|---|---:|"]
    for name in track(evenly(list(removals), num), description="training"):
        own = trainings.of(name, removals[name].apply(trainings.space.base))
        recovered[name], error = mean_and_error(np.subtract(base.scores, own.scores))
        lines.append(f"| `{name}` | {recovered[name]:+.4f} ± {error:.4f} |")
    write_text(out / "recovered.json", json.dumps(recovered, indent=2) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    typer.run(main)
