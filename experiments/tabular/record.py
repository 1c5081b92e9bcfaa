r"""Score every architecture of a small sub-space, and every single removal of the full one, into a score store.

    python -m experiments.tabular.record experiments/tabular/shapes.yaml --out runs/tabular/shapes

It may be stopped at any time: the same command goes on, since what the store holds is never drawn again. The
sub-space is counted up in binary, a chunk of prompts at a time, so that any prefix is a sub-space of fewer blocks that
is scored exhaustively. `python -m experiments.tabular.pack` makes the benchmark of it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import track

from experiments.command import run
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.runs.checkpoints.weights import weights_digest
from nas.runs.directory import RunDirectory
from nas.scores.store import ScoreStore
from nas.search.scoring.scorer import Scorer
from nas.search.staff import staffed
from search_spaces.actions import AnyAction, parse_action
from search_spaces.architecture import Architecture

BATCH: Final = 32  # architectures that are asked for at once
# Contested on the bundled model: each saves latency and costs a score that the others may pay instead. Alternating
# sides and stages, so that a prefix has interactions too.
BLOCKS: Final = (
    "cross_attention[down.0,0]",
    "cross_attention[up.3,0]",
    "cross_attention[down.1,1]",
    "cross_attention[up.3,2]",
    "cross_attention[down.0,1]",
    "cross_attention[up.2,1]",
    "cross_attention[down.1,0]",
    "cross_attention[up.1,1]",
    "resnet[down.0,1]",
    "resnet[up.3,2]",
    "resnet[up.1,2]",
    "resnet[up.2,1]",
)


def main(
    config: Annotated[Path, typer.Argument(help="an experiment: model, score, prompts, protocol")],
    out: Annotated[Path, typer.Option(help="folder of the score store")],
    block: Annotated[list[str], typer.Option(help="blocks that may go; several", show_default=False)] = list(BLOCKS),  # noqa: B006
    num_blocks: Annotated[int, typer.Option(help="how many of them, from the first on")] = 12,
    num_chunks: Annotated[int, typer.Option(help="chunks of prompts of the sub-space")] = 2,
) -> None:
    """Score a sub-space exhaustively; goes on where it stopped."""
    experiment = resolve(load_config(config))
    space = experiment.space
    removals = [parse_action(f"-{name}") for name in block[:num_blocks]]
    singles = [space.base, *(action.apply(space.base) for action in space.removals(space.base))]
    with staffed(experiment, run=RunDirectory(Path()), log_folder=None, on_start=lambda *_: None) as (pool, trainer):
        scorer = Scorer(
            pool,
            store=ScoreStore(out),
            prompts=experiment.worker.validation,
            protocol_digest=experiment.digests["protocol"],
            score_name=experiment.score.name,
        )
        weights = weights_digest(trainer.weights())
        passes = [(singles, chunk) for chunk in range(scorer.num_chunks)]
        if removals:
            passes += [(list(sub_space(space.base, removals)), chunk) for chunk in range(num_chunks)]
        for architectures, chunk in passes:
            starts = range(0, len(architectures), BATCH)
            for start in track(starts, description=f"{len(architectures):,} architectures, chunk {chunk}"):
                part = architectures[start : start + BATCH]
                scorer.score(part, weights_digest=weights, chunks=[chunk], on_chunk=lambda done, total: None)


def sub_space(base: Architecture, removals: Sequence[AnyAction], /) -> Iterator[Architecture]:
    """Every architecture that some of the removals leave: number n has removal i where bit i of n is set."""
    for number in range(2 ** len(removals)):
        architecture = base
        for index, action in enumerate(removals):
            if number >> index & 1:
                architecture = action.apply(architecture)
        yield architecture


if __name__ == "__main__":
    run(main)
