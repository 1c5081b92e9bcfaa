r"""Fronts of all algorithms at equal passes, on the bundled model's full space of 38 removals, with real scores.

    python -m experiments.fronts --out runs/fronts

Question: does the order of the algorithms on the tabular benchmark hold on the full space, for fronts, and on captions
that no search saw? Every search aims at 85, 75 and 65 % of the latency in turn; an architecture costs 8 captions, 64
UNet passes. All share one store of scores, so that a second call goes on where the first stopped, and nothing is scored
twice. What is on the front at the end is scored again on other captions. Writes `courses.csv` (every scoring),
`fronts.csv` (the fronts, with both scores), `fronts.md` and `fronts.png`. Cost: four minutes of an idle core a
seed; five seeds of 128 scorings three quarters of an hour.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Annotated, Final

import pandas as pd
import typer

from experiments.command import run
from experiments.decisions.bundled import PASSES_PER_PICTURE, prices_of, scorer_of, space_of, validation_of
from experiments.decisions.bundled import WEIGHTS as BUNDLED
from experiments.fronts.searching import WITHOUT_SEED, Seen, compared, front, problem_of, searched
from experiments.fronts.telling import AT, markdown, picture, volumes
from nas.reports.writing import write_figure
from nas.search.scoring.scorer import Scorer
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm

CHUNK: Final = 8  # captions: the first chunk is what searches see
NUM_CAPTIONS: Final = 72  # in all


def main(
    out: Annotated[Path, typer.Option(help="folder of the scores and of what is told; a second call goes on")],
    seeds: Annotated[int, typer.Option(min=1, help="searches of each algorithm that draws")] = 3,
    num_evaluations: Annotated[int, typer.Option(min=1, help="of each search, the base aside")] = 48,
    held_out: Annotated[int, typer.Option(min=CHUNK, max=NUM_CAPTIONS - CHUNK, help="other captions, for fronts")] = 32,
) -> None:
    """Search, score the fronts again, and say what came of it."""
    scorer = scorer_of(validation_of(NUM_CAPTIONS, chunk_size=CHUNK), folder=out / "scores")
    courses = all_searched(scorer, seeds=seeds, num=num_evaluations)
    frame = pd.concat([_rows(*key, seen) for key, seen in courses.items()], ignore_index=True)
    write_text(out / "courses.csv", frame.to_csv(index=False))
    chunks = range(1, 1 + held_out // CHUNK)
    fronts = pd.concat(
        [
            _rows(*key, front(seen[: num_evaluations + 1])).assign(
                held_out=lambda part: _held_out(scorer, part, chunks)
            )
            for key, seen in courses.items()
        ],
        ignore_index=True,
    )
    write_text(out / "fronts.csv", fronts.to_csv(index=False))
    told = volumes(frame, fronts, at=[*AT, num_evaluations])
    write_text(out / "fronts.md", markdown(told, at=[*AT, num_evaluations]))
    write_figure(picture(frame, fronts, most=num_evaluations), out / "fronts.png")
    print(markdown(told, at=[*AT, num_evaluations]))


def all_searched(scorer: Scorer, /, *, seeds: int, num: int) -> dict[tuple[str, int], tuple[Seen, ...]]:
    """What every algorithm scored, by its name and seed; one seed after the other."""
    space = space_of(SpaceForm.ANY)
    price_ms, algorithms = prices_of(space), compared(num, len(space.removals(space.base)))
    courses = {}
    for seed in range(seeds):
        for name, algorithm in algorithms.items():
            if seed and name in WITHOUT_SEED:
                continue
            problem = problem_of(space, price_ms, algorithm, name=name, seed=seed)
            courses[name, seed] = searched(problem, algorithm, scores_of=lambda some: _seen_by(scorer, some))
            print(f"{name}, seed {seed}: {len(courses[name, seed])} scored", flush=True)
    return courses


def _seen_by(scorer: Scorer, architectures: tuple[Architecture, ...]) -> Mapping[Architecture, tuple[float, ...]]:
    return scorer.score(architectures, weights_digest=BUNDLED, on_chunk=lambda done, total: None, chunks=[0])


def _held_out(scorer: Scorer, part: pd.DataFrame, chunks: range) -> list[float]:
    """Mean scores on the captions that no search saw."""
    architectures = [Architecture.from_dict(json.loads(each)) for each in part["architecture"]]
    found = scorer.score(
        architectures,
        weights_digest=BUNDLED,
        on_chunk=lambda done, total: None,
        chunks=chunks,
    )
    return [fmean(found[each]) for each in architectures]


def _rows(name: str, seed: int, seen: tuple[Seen, ...]) -> pd.DataFrame:
    """A row per architecture, in the order given."""
    return pd.DataFrame(
        {
            "algorithm": name,
            "seed": seed,
            "num": range(len(seen)),
            "passes": [(index + 1) * CHUNK * PASSES_PER_PICTURE for index in range(len(seen))],
            "share": [each.share for each in seen],
            "score": [each.score for each in seen],
            "architecture": [json.dumps(each.architecture.to_dict()) for each in seen],
        }
    )


if __name__ == "__main__":
    run(main)
