r"""Regret of every algorithm on a tabular benchmark, over seeds: the table and the figure of docs/tabular.md.

    python -m experiments.tabular --table nas/tabular/shapes.parquet --out runs/tabular/study --seeds 20

Writes `courses.csv`, `regret.md` and `regret.png`. The goal: the best of ours reaches regret 0 with a tenth of all
architectures, by the median over seeds.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from experiments.command import run
from nas.algorithms.algorithm import Algorithm
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.one_shot import knapsack, local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.layouts import uniform
from nas.algorithms.settings import EvolvingSettings
from nas.reports.regret import regret_figure
from nas.reports.writing import write_figure
from nas.tabular.comparing import courses, summary
from nas.tabular.files import read_benchmark
from search_spaces.files.durable.writing import write_text

AT = (25, 50, 100, 200, 400)


def compared(num: int, /) -> dict[str, Algorithm[Any]]:
    """Every algorithm with as many evaluations; the knapsack scores single edits besides, and fewer in the end."""
    some: dict[str, Any] = {"num_evaluations": num}
    sampler = optuna_search.Sampler
    return {
        "random_search": random_search.make(random_search.RandomSettings(**some)),
        "local_search": local_search.make(local_search.LocalSettings(**some)),
        "regularized_evolution": regularized_evolution.make(regularized_evolution.RegularizedSettings(**some)),
        "knapsack": knapsack.make(knapsack.KnapsackSettings(num_evaluations=min(num, 128))),
        "knapsack, sums only": knapsack.make(knapsack.KnapsackSettings(num_evaluations=min(num, 32), max_pairs=0)),
        "tpe": optuna_search.make(optuna_search.OptunaSettings(**some)),
        "nsga2": optuna_search.make(optuna_search.OptunaSettings(sampler=sampler.NSGA2, **some)),
        "uniform": uniform.make(uniform.UniformSettings()),
        "evolving": ArchitectureEvolving(EvolvingSettings(removals_per_round=1, max_copies=0)),
    }


def main(
    table: Annotated[str, typer.Option(help="tabular benchmark")],
    out: Annotated[Path, typer.Option(help="folder to write")],
    seeds: Annotated[int, typer.Option(help="searches of each algorithm")] = 20,
    num_evaluations: Annotated[int, typer.Option(help="of each search")] = 400,
) -> None:
    """Regret of every algorithm against evaluations."""
    benchmark, parts = read_benchmark(table), []
    for name, algorithm in compared(num_evaluations).items():
        start = time.monotonic()
        parts.append(courses(benchmark, {name: algorithm}, seeds=range(seeds)))
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    frame = pd.concat(parts, ignore_index=True)
    rows = summary(frame, at=AT)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "courses.csv", frame.to_csv(index=False))
    write_text(out / "regret.md", markdown(rows))
    title = f"{benchmark.name}: the best of {benchmark.size:,} architectures"
    write_figure(regret_figure(frame, title=title, score=benchmark.score), out / "regret.png")
    print(markdown(rows))


def markdown(rows: pd.DataFrame, /) -> str:
    """The summary as a table."""
    heads = ["algorithm", *(f"after {num}" for num in AT), "found the best", "after", "scored"]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    for row in rows.to_dict("records"):
        exact = row["evaluations_exact"]
        cells = [f"{row[f'regret_{num}']:.4f} ± {row[f'spread_{num}']:.4f}" for num in AT]
        cells += [f"{row['share_exact']:.0%}", "" if exact != exact else f"{exact:.0f}", str(row["evaluations"])]
        lines.append("| " + " | ".join([str(row["algorithm"]), *cells]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run(main)
