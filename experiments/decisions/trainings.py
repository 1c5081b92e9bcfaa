"""Networks of the bundled model, each trained alike from the bundled weights, and scored; a file for each."""

import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
import typer
from rich.progress import track

from experiments.skipping.bench import Judged, Trainer, start_threads, write_data
from experiments.skipping.study import Study
from nas.pipelines.computing.execution import check_device
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.__main__ import write_pictures

PICTURES_SEED: Final = 5
BASE: Final = "base"
NumPictures: TypeAlias = Annotated[int, typer.Option(min=1, help="rendered pictures to train on")]
BatchSize: TypeAlias = Annotated[int, typer.Option(min=1, help="pictures per training step")]
ChunkSize: TypeAlias = Annotated[int, typer.Option(min=1, help="captions that are drawn at once")]
Device: TypeAlias = Annotated[str, typer.Option(help="cpu or cuda")]
Processes: TypeAlias = Annotated[int, typer.Option(min=1, help="networks that are trained at once")]
_trainings: "ShortTrainings"  # of a process that trains for another


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network after a short training.

    Attributes:
        scores: CLIP score of every caption.
        losses: Error of the prediction in every training step; of the same batches and noise for every network.
    """

    scores: list[float]
    losses: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How every network is trained and scored.

    Attributes:
        steps: Training steps; 0 = none.
        num_prompts: Captions that each is scored on.
        num_pictures: Rendered pictures to train on.
        batch_size: Pictures per step.
        chunk_size: Captions that are drawn at once.
        captions: File of them, of which the first so many count.
        device: cpu or cuda.
    """

    steps: int
    num_prompts: int
    num_pictures: int
    batch_size: int = 16
    chunk_size: int = 32
    captions: Path = CAPTIONS_FILE
    device: str = "cpu"


class ShortTrainings:
    """Trains and scores networks.

    Args:
        out: Folder of everything between: pictures, latents, a file per network.
        recipe: How.

    Raises:
        UserError: Networks of another recipe stand there, or the device is not here.
    """

    def __init__(self, out: Path, recipe: Recipe, /) -> None:
        self._out, self._recipe = out, recipe
        self._folder = out / f"trained-{recipe.steps}x{recipe.batch_size}-{recipe.num_prompts}"
        check_device(recipe.device, name="--device")
        keep_recipe(self._folder / "recipe.txt", recipe)
        self._data, pictures = out / f"data-{recipe.num_pictures}.safetensors", out / f"pictures-{recipe.num_pictures}"
        self._study = Study(
            unet=str(PIPELINE_DIR / "unet"),
            pipeline=str(PIPELINE_DIR),
            clip=str(OPEN_CLIP_DIR),
            captions=str(recipe.captions),
            pictures=str(pictures),
            steps=0,
            recovery_steps=recipe.steps,
            batch_size=recipe.batch_size,
            learning_rate=2e-4,
            num_prompts=recipe.num_prompts,
            chunk_size=recipe.chunk_size,
            sampling_steps=4,
            guidance=2.0,
            num_removals=0,
            num_recovered=0,
            found_share=1.0,
            device=recipe.device,
        )
        if not self._data.exists():
            start_threads(recipe.device)
            if not pictures.exists():
                write_pictures(pictures, num=recipe.num_pictures, seed=PICTURES_SEED)
            write_data(self._data, self._study)

    def of(self, name: str, architecture: Architecture, /) -> Trained:
        """A network after its training.

        Args:
            name: Under which it is kept.
            architecture: Of it.
        """
        path = self._folder / f"{name}.json"
        if not path.exists():
            judged, trainer, weights = self._loaded
            losses = trainer.train(architecture, Skipping(probability=0.0), num_steps=self._recipe.steps, seed=0)
            trained = Trained(scores=judged.scores(architecture), losses=losses)
            judged.supernet.forget_copies()
            judged.supernet.load_weights(weights)
            write_text(path, json.dumps(asdict(trained)) + "\n")
        return Trained(**read_json_object(path))

    def all(self, networks: Mapping[str, Architecture], /, *, processes: int = 1) -> dict[str, Trained]:
        """Networks by name after their training, several at once if wanted."""
        wanted = {name: each for name, each in networks.items() if not (self._folder / f"{name}.json").exists()}
        if processes > 1 and wanted:
            context = get_context("spawn")
            with ProcessPoolExecutor(
                processes, context, initializer=_start, initargs=(self._out, self._recipe)
            ) as pool:
                list(track(pool.map(_train, *zip(*wanted.items(), strict=True)), "training", total=len(wanted)))
        return {name: self.of(name, each) for name, each in track(networks.items(), "training")}

    @cached_property
    def _loaded(self) -> tuple[Judged, Trainer, dict[str, Any]]:
        start_threads(self._recipe.device)
        judged = Judged(self._study, Path(self._study.unet))
        weights = {name: each.clone() for name, each in judged.supernet.weights().items()}
        return judged, Trainer(self._study, judged.supernet, data=self._data), weights


def keep_recipe(path: Path, recipe: Recipe) -> None:
    """Say beside networks how they are trained; folders of earlier versions did not."""
    captions = digest_of({"captions": recipe.captions.read_text(encoding="utf-8")})
    told = "".join(f"{name} = {value}\n" for name, value in (asdict(recipe) | {"captions": captions}).items())
    if path.exists() and (before := path.read_text(encoding="utf-8")) != told:
        others = [line for line in before.splitlines() if line not in told.splitlines()]
        raise UserError(
            f"networks of {path.parent} must all be trained alike, but those that are there have "
            f"{', '.join(others)}; give the same, or another --out"
        )
    write_text(path, told)


def _start(out: Path, recipe: Recipe) -> None:
    global _trainings
    _trainings = ShortTrainings(out, recipe)


def _train(name: str, architecture: Architecture) -> None:
    _trainings.of(name, architecture)


def mean_and_error(differences: Any, /) -> tuple[float, float]:
    """Mean of paired differences, and its standard error."""
    values = np.asarray(differences, dtype=np.float64)
    return float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
