"""The bundled model as this study scores it: held-out captions, four DDIM steps, guidance; scores kept by content."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.shapes.rendered import held_out_scenes
from experiments.skipping.bench import start_threads
from latency.documents.shipped import read_latency_table
from latency.pricing.source import Prices
from latency.sources.table import TableSource
from nas.evaluation.registry import ScoreSpec, make_score
from nas.pipelines.computing.execution import Execution, check_device
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.scoring.scorer import Scorer
from nas.workers.pool import InProcessPool
from nas.workers.worker import WorkerSpec, load_supernet
from search_spaces.actions import CopyStart
from search_spaces.files.digests import digest_of
from search_spaces.folders.loading import read_context_tokens
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.scenes import caption_of
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.stock_space import SpaceForm

TABLE: Final = "shapes_cpu_torch_eager"
CAPTIONS_SEED: Final = 11
NUM_STEPS: Final = 4
PASSES_PER_STEP: Final = 2  # with and without the caption
PASSES_PER_PICTURE: Final = PASSES_PER_STEP * NUM_STEPS
WEIGHTS: Final = "bundled"  # in the place of a digest: nothing is trained


def space_of(form: SpaceForm, /) -> UNetSpace:
    """The space of the bundled model's UNet."""
    return space_from_config(ModelFolder(PIPELINE_DIR).unet_config(), max_copies=1, form=form)


def prices_of(space: UNetSpace, /) -> Prices:
    """Milliseconds on the CPU of the shipped table."""
    tokens = read_context_tokens(PIPELINE_DIR)
    assert tokens is not None, "the bundled pipeline has a tokenizer"
    return TableSource(table=read_latency_table(Path(TABLE))).prices(space, context_tokens=tokens)


def validation_of(num: int, /, *, seed: int = CAPTIONS_SEED, chunk_size: int = 64) -> ValidationSet:
    """Held-out captions with their noise."""
    captions = [caption_of(scene) for scene in held_out_scenes(np.random.default_rng(seed), num)]
    return ValidationSet.from_captions(captions, seed=0, chunk_size=chunk_size)


def scorer_of(
    validation: ValidationSet,
    /,
    *,
    folder: Path,
    score: str = "clip",
    settings: dict[str, Any] | None = None,
    num_steps: int = NUM_STEPS,
    device: str = "cpu",
) -> Scorer:
    """Scores of any architecture of the bundled model, in this process; those in the folder are not made again."""
    check_device(device, name="--device")
    start_threads(device)
    protocol = SamplingProtocol(num_steps=num_steps, guidance_scale=2.0, scheduler="DDIMScheduler")
    spec = WorkerSpec(
        model=ModelFolder(PIPELINE_DIR),
        score=ScoreSpec(name=score, settings={"model": str(OPEN_CLIP_DIR)} if settings is None else settings),
        validation=validation,
        protocol=protocol,
        latent_size=(16, 16),
        max_copies=1,
        copy_start=CopyStart.NEUTRAL,
        num_threads=1,
        execution=Execution(device=device),
    )
    supernet = load_supernet(spec)
    own = make_score(score, settings=spec.score.settings, setting=spec.setting).digest
    return Scorer(
        InProcessPool(spec, supernet=supernet),
        store=ScoreStore(folder),
        prompts=validation,
        protocol_digest=digest_of({"protocol": repr(protocol), "score": score, "own": own}),
        score_name=score,
    )


def scores_of(scorer: Scorer, architecture: Any, /, *, chunks: Sequence[int] | None = None) -> tuple[float, ...]:
    """Of one architecture on every prompt of some chunks; None = all."""
    found = scorer.score([architecture], weights_digest=WEIGHTS, on_chunk=lambda done, total: None, chunks=chunks)
    return found[architecture]
