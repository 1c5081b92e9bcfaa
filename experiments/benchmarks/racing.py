"""Racing against exhaustive scoring, on the bundled model: equal decisions, pictures needed, and what an error costs.

    python -m experiments.benchmarks.racing [NUM_SEEDS [FOLDER]]

Every removal of the base model is scored exhaustively on NUM_PROMPTS held-out captions, other ones for each of
NUM_SEEDS seeds (1 unless it is given); the scores stay in FOLDER, so that a second call only races. Then races of the
first N prompts are replayed from these scores: for removing the cheapest five, and for copying the most valuable block.

Regret is the CLIP score per prompt that the raced group loses more than the exhaustive one, by all N prompts.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from experiments.shapes.rendered import held_out_scenes
from latency import read_table
from nas.evaluation.registry import ScoreSpec
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.racing.race import Direction, Race, exhaustive
from nas.racing.settings import RacingSettings
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.search.scoring.scorer import Scorer
from nas.workers.pool import InProcessPool
from nas.workers.worker import WorkerSpec, load_supernet
from search_spaces import AnyAction
from search_spaces.actions import CopyStart
from search_spaces.files.digests import digest_of
from search_spaces.folders.loading import read_context_tokens
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.scenes import caption_of
from search_spaces.supernet import Supernet

TABLE = Path(__file__).parents[2] / "latency" / "tables" / "shapes_cpu_torch_eager.json"
PROTOCOL = SamplingProtocol(num_steps=2, guidance_scale=1.0)
NUM_PROMPTS, CHUNK_SIZE, NUM_PLACES = 192, 8, 5
SIZES = (48, 96, 192)
SETTINGS = {
    "confidence 0.95": RacingSettings(min_prompts=16),
    "confidence 0.80": RacingSettings(min_prompts=16, confidence=0.8),
    "0.95, indifference 0.0005": RacingSettings(min_prompts=16, indifference=0.0005),
    "0.95, indifference 0.002": RacingSettings(min_prompts=16, indifference=0.002),
    "0.95, indifference 0.005": RacingSettings(min_prompts=16, indifference=0.005),
}
Losses = Mapping[AnyAction, list[float]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One race beside exhaustive scoring."""

    equal: bool
    share: float
    regret: float


def main(num_seeds: int, folder: Path) -> None:
    """Score where scores are missing, race, print."""
    torch.set_num_threads(1)
    losses_by_seed, saved_ms, latency_error = [], dict[AnyAction, float](), 0.0
    for seed in range(num_seeds):
        spec = worker_spec(seed)
        supernet = load_supernet(spec)
        saved_ms, latency_error = prices(supernet)
        losses_by_seed.append(score(spec, supernet, sorted(saved_ms), ScoreStore(folder), seed))
    print(f"\n{len(saved_ms)} removals, {num_seeds} seeds, relative error of the table {latency_error:.3f}\n")
    print("| decision | prompts | racing | equal decisions | pictures | worst regret |")
    print("|---|---|---|---|---|---|")
    for direction, num_places in ((Direction.LOWEST, NUM_PLACES), (Direction.HIGHEST, 1)):
        for size in SIZES:
            for name, settings in SETTINGS.items():
                for error in (0.0, latency_error) if name == "confidence 0.95" else (0.0,):
                    outcomes = [
                        race(losses, saved_ms, size, direction, num_places, settings, error)
                        for losses in losses_by_seed
                    ]
                    print(
                        f"| {num_places} {direction} | {size} | {name}{', latency ties' if error else ''} "
                        f"| {sum(o.equal for o in outcomes)}/{len(outcomes)} "
                        f"| {fmean(o.share for o in outcomes):.0%} | {max(0.0, *(o.regret for o in outcomes)):.5f} |"
                    )


def worker_spec(seed: int) -> WorkerSpec:
    """The bundled model with the captions and noise of a seed."""
    captions = [caption_of(scene) for scene in held_out_scenes(np.random.default_rng(seed), NUM_PROMPTS)]
    return WorkerSpec(
        model=ModelFolder(PIPELINE_DIR),
        score=ScoreSpec(name="clip", settings={"model": str(OPEN_CLIP_DIR)}),
        validation=ValidationSet.from_captions(captions, seed=seed, chunk_size=CHUNK_SIZE),
        protocol=PROTOCOL,
        latent_size=(16, 16),
        max_copies=2,
        copy_start=CopyStart.NEUTRAL,
        num_threads=1,
    )


def prices(supernet: Supernet) -> tuple[dict[AnyAction, float], float]:
    """Milliseconds that each removal saves, and the table's relative error."""
    table, space = read_table(TABLE), supernet.space
    tokens = read_context_tokens(PIPELINE_DIR) or 0
    base_ms = table.predict(space.sites(space.base, context_tokens=tokens)).total_ms
    saved = {
        action: base_ms - table.predict(space.sites(action.apply(space.base), context_tokens=tokens)).total_ms
        for action in space.removals(space.base)
    }
    return saved, table.relative_error


def score(spec: WorkerSpec, supernet: Supernet, actions: list[AnyAction], store: ScoreStore, seed: int) -> Losses:
    """CLIP lost by every removal on every prompt."""
    protocol = digest_of({"sampling": repr(spec.protocol), "clip": spec.score.settings["model"]})
    scorer = Scorer(
        InProcessPool(spec, supernet=supernet), store=store, prompts=spec.validation, protocol_digest=protocol
    )
    base = supernet.space.base
    options = {action: action.apply(base) for action in actions}
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(f"seed {seed}")
        scores = scorer.score(
            [base, *options.values()],
            weights_digest="base",
            on_chunk=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return {
        action: [before - after for before, after in zip(scores[base], scores[option], strict=True)]
        for action, option in options.items()
    }


def race(
    losses: Losses,
    saved_ms: Mapping[AnyAction, float],
    num_prompts: int,
    direction: Direction,
    num_places: int,
    settings: RacingSettings,
    latency_error: float,
) -> Outcome:
    """Replay one race from recorded losses."""
    known = {action: values[:num_prompts] for action, values in losses.items()}
    contest = Race(
        saved_ms,
        num_prompts=num_prompts,
        chunk_size=CHUNK_SIZE,
        num_places=num_places,
        direction=direction,
        latency_error=latency_error,
        settings=settings,
    )
    while not contest.finished:
        look = contest.next_look()
        contest.observe({action: known[action][: look.num_prompts] for action in look.contestants})
    chosen = contest.verdict.selected
    best = exhaustive(known, saved_ms=saved_ms, num_places=num_places, direction=direction)
    cost = {action: fmean(values) for action, values in known.items()}
    sign = 1 if direction is Direction.LOWEST else -1
    used = num_prompts + sum(contest.verdict.num_prompts.values())
    return Outcome(
        equal=set(chosen) == set(best),
        share=used / (num_prompts * (1 + len(known))),
        regret=sign * sum(cost[a] for a in chosen) - sign * sum(cost[a] for a in best),
    )


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        int(arguments[0]) if arguments else 1,
        Path(arguments[1] if len(arguments) > 1 else "runs/benchmarks/racing"),
    )
