"""Whole evolutions without training, where losses do not add up: what was found, on captions that no decision saw.

    python -m experiments.decisions.evolutions --out runs/evolutions --value paper --value posterior

Each seed takes captions of its own; a round removes `--group` blocks and scores anew, until `--ratio` of the latency is
left. Final loss: of CLIP score to the base, paired, on `--judged` captions that all seeds share and none decides by.
Cost: about 9 ms of an idle core per UNet pass; scores lie in `OUT/scores`, so that a second call goes on where the
first stopped, and rules share what they both ask for. Writes `OUT/evolutions.csv`, a row per rule and seed.
"""

from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import pandas as pd
import typer

from experiments.decisions.bundled import (
    PASSES_PER_PICTURE,
    WEIGHTS,
    prices_of,
    scorer_of,
    scores_of,
    space_of,
    validation_of,
)
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Finish, Score, Train, Trained
from nas.racing.settings import RacingSettings
from nas.search.round_scoring import StepScorer
from nas.values.rule import Rule
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm

JUDGES_SEED, FIRST_SEED = 11, 100  # of the captions that judge, and of the first seed's that decide


def main(
    out: Annotated[Path, typer.Option(help="folder of scores and results")],
    value: Annotated[list[Rule], typer.Option(help="rules to compare; may be repeated")],
    space: Annotated[SpaceForm, typer.Option(help="any or stock")] = SpaceForm.ANY,
    ratio: Annotated[float, typer.Option(help="of the base's latency that is left")] = 0.62,
    group: Annotated[int, typer.Option(min=1, help="removals a round")] = 5,
    num_prompts: Annotated[int, typer.Option(min=2, help="captions that decide")] = 20,
    chunk_size: Annotated[int, typer.Option(min=1, help="captions that are drawn at once")] = 4,
    judged: Annotated[int, typer.Option(min=2, help="captions that judge")] = 256,
    seeds: Annotated[int, typer.Option(min=1, help="evolutions of each rule")] = 4,
    raced: Annotated[bool, typer.Option(help="race, instead of scoring exhaustively")] = False,
) -> None:
    """Whole evolutions without training: final loss of each rule on captions that no decision saw."""
    rows: list[dict[str, Any]] = []
    judges = scorer_of(validation_of(judged, seed=JUDGES_SEED), folder=out / "scores")
    searched = space_of(space)
    base = scores_of(judges, searched.base)
    for seed in range(seeds):
        scorer = scorer_of(
            validation_of(num_prompts, seed=FIRST_SEED + seed, chunk_size=chunk_size), folder=out / "scores"
        )
        for rule in value:
            price_ms = prices_of(searched)
            settings = EvolvingSettings(removals_per_round=group, max_copies=0, value=rule)
            target_ms = ratio * price_ms(searched.base)
            problem = Problem(space=searched, price_ms=price_ms, target_latency_ms=target_ms, settings=settings)
            steps = StepScorer(
                scorer,
                hold=lambda weights: None,
                confidence=0.95,
                higher_is_better=True,
                racing=RacingSettings() if raced else None,
                latency_error=0.0,
            )
            found, pictures = _evolved(problem, steps)
            after = scores_of(judges, found)
            rows.append(
                {
                    "value": rule.value,
                    "seed": seed,
                    "ratio": price_ms(found) / price_ms(searched.base),
                    "passes": pictures * PASSES_PER_PICTURE,
                    "final_loss": fmean(b - a for b, a in zip(base, after, strict=True)),
                    "arch_id": found.arch_id,
                }
            )
            print(rows[-1], flush=True)
            write_text(out / "evolutions.csv", pd.DataFrame(rows).to_csv(index=False))


def _evolved(problem: Problem[Any], steps: StepScorer) -> tuple[Any, int]:
    """What an evolution finds, and the pictures that it asked for."""
    algorithm, pictures = ArchitectureEvolving(problem.settings), 0
    state = algorithm.start(problem)
    for _ in range(algorithm.max_steps(problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            return step.results[0].subject.architecture, pictures
        if isinstance(step, Train):
            state = algorithm.told(state, step, Trained(digests=(WEIGHTS,) * len(step.jobs)))
            continue
        assert isinstance(step, Score)
        outcome = steps.score(step, on_chunk=lambda done, total: None)
        told = [outcome.reference, *outcome.estimates]
        pictures += sum(estimate.score.num_prompts for estimate in told if estimate is not None)
        state = algorithm.told(state, step, outcome)
    raise AssertionError("an evolution ends within its bound")


if __name__ == "__main__":
    typer.run(main)
