"""NAS-Bench-201 by Optuna's TPE itself, on a choice of five for each of the six edges: what our way of asking costs.

python -m experiments.tabular.choices --seeds 20

`optuna_search` gives the sampler a number for each edit of the start, of which a cell's exclude each other. The sampler
has the same settings here, and nothing else is between it and the table: one cell at a time, known ones not counted.
"""

import warnings
from typing import Annotated, Final

import numpy as np
import optuna
import typer

from experiments.command import run
from experiments.tabular.cells import AT, NUM_EDGES, NUM_OPERATIONS, Accuracies, accuracies
from nas.algorithms.one_shot.optuna_search import OptunaSettings

_ASKS: Final = 4  # for each cell that is wanted: a sampler may repeat itself


def regrets(known: Accuracies, /, *, seed: int, num: int = max(AT)) -> list[float]:
    """Regret in percentage points after each new cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        settings = OptunaSettings()
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=settings.num_startup, multivariate=True)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    top, best, course, seen = max(known.values()), 0.0, list[float](), set[tuple[int, ...]]()
    for _ in range(_ASKS * num):
        trial = study.ask()
        cell = tuple(trial.suggest_categorical(f"edge {edge}", range(NUM_OPERATIONS)) for edge in range(NUM_EDGES))
        study.tell(trial, known[cell])
        if cell not in seen:
            seen.add(cell)
            best = max(best, known[cell])
            course.append(top - best)
        if len(course) == num:
            break
    return course


def main(seeds: Annotated[int, typer.Option(min=1, help="searches")] = 20) -> None:
    """Mean regret after 50, 100 and 200 cells, and its deviation over seeds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    known = accuracies()
    found = np.array([[course[min(at, len(course)) - 1] for at in AT] for course in _courses(known, seeds)])
    for at, mean, deviation in zip(AT, found.mean(axis=0), found.std(axis=0), strict=True):
        print(f"after {at} cells {mean:.3f} ± {deviation:.3f}")


def _courses(known: Accuracies, seeds: int) -> list[list[float]]:
    return [regrets(known, seed=seed) for seed in range(seeds)]


if __name__ == "__main__":
    run(main)
