r"""An outside check of the generic algorithms: NAS-Bench-201 (arXiv 2001.00326), whose regrets are known.

    python -m experiments.tabular.cells [NAME...] --seeds 200

Cells of six edges with one of five operations each: 15,625 architectures, and the CIFAR-10 accuracy of each, from the
wheel `analog-nasbench` (`baseline_accuracy`). Nothing of the space is a UNet's: that the algorithms work on it without
a change shows that their door is generic. The wheel's pickle is read by an unpickler that knows two plain classes.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Final, Self

import numpy as np
import pandas as pd
import typer

from experiments.command import run
from nas.algorithms.algorithm import Algorithm
from nas.algorithms.one_shot import local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.problem import Problem
from nas.algorithms.steps import Estimate, Finish, Score, Scored, Trained
from nas.scores.intervals import Interval
from search_spaces.actions import Sign

NUM_EDGES, NUM_OPERATIONS = 6, 5
AT: Final = (50, 100, 200)
KNOWN: Final = {"random_search": (0.73, 0.57, 0.44), "local_search": (0.20, 0.07, 0.02), "tpe": (0.26, 0.13, 0.04)}
Accuracies = Mapping[tuple[int, ...], float]


class _Plain(pickle.Unpickler):
    """Makes nothing but records without behaviour."""

    def find_class(self, module: str, name: str, /) -> Any:
        """The class of a record; any other is refused."""
        if module == "analognasbench.data" and name in ("Architecture", "DriftMeasurement"):
            return SimpleNamespace
        raise pickle.UnpicklingError(f"the data must hold plain records only, but names {module}.{name}")


def accuracies() -> dict[tuple[int, ...], float]:
    """CIFAR-10 accuracy in per cent of every cell.

    Raises:
        ModuleNotFoundError: The wheel is not installed.
    """
    found = find_spec("analognasbench")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pip install --no-deps analog-nasbench")
    with (Path(found.origin).parent / "data.anb").open("rb") as file:
        records = _Plain(file).load()
    return {tuple(cell): float(record.baseline_accuracy) for cell, record in records.items()}


@dataclass(frozen=True, slots=True)
class Cell:
    """An operation on each edge."""

    operations: tuple[int, ...]

    @property
    def arch_id(self) -> str:
        """The operations."""
        return "".join(map(str, self.operations))

    def to_dict(self) -> dict[str, Any]:
        """The operations."""
        return {"operations": list(self.operations)}


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Another operation on an edge; towards a smaller number counts as removing."""

    edge: int
    before: int
    after: int

    def __str__(self) -> str:
        return f"{self.sign}edge[{self.edge},{self.before},{self.after}]"

    @property
    def sign(self) -> Sign:
        """Removing, or copying."""
        return Sign.REMOVE if self.after < self.before else Sign.COPY

    @property
    def inverse(self) -> Self:
        """Back again."""
        return type(self)(self.edge, self.after, self.before)

    def apply(self, cell: Cell, /) -> Cell:
        """The cell after it."""
        operations = list(cell.operations)
        operations[self.edge] = self.after
        return Cell(tuple(operations))


class CellSpace:
    """All cells."""

    base = Cell((NUM_OPERATIONS - 1,) * NUM_EDGES)
    digest = "nas-bench-201"
    block_names = frozenset(f"edge[{edge}]" for edge in range(NUM_EDGES))

    def removals(self, cell: Cell, /) -> tuple[Change, ...]:
        """Changes to smaller numbers."""
        return tuple(Change(e, op, new) for e, op in enumerate(cell.operations) for new in range(op))

    def copies(self, cell: Cell, /) -> tuple[Change, ...]:
        """Changes to larger numbers."""
        return tuple(
            Change(e, op, new) for e, op in enumerate(cell.operations) for new in range(op + 1, NUM_OPERATIONS)
        )

    def why_not(self, action: Change, /, *, architecture: Cell) -> str | None:
        """Why not."""
        return None if architecture.operations[action.edge] == action.before else "another operation is there"

    def touched(self, action: Change, /) -> frozenset[str]:
        """The edge."""
        return frozenset({f"edge[{action.edge}]"})

    def takes_copy(self, action: Change, /, *, architecture: Cell) -> bool:
        """There are no copies."""
        return False

    def check(self, cell: Cell, /) -> None:
        """Every cell is there."""

    def sample(self, rng: np.random.Generator, /) -> Cell:
        """Any, all alike."""
        return Cell(tuple(map(int, rng.integers(NUM_OPERATIONS, size=NUM_EDGES))))

    def num_params(self, cell: Cell, /) -> int:
        """A number that grows with the operations."""
        return 1 + sum(cell.operations)

    def num_macs(self, cell: Cell, /) -> int:
        """The same."""
        return self.num_params(cell)

    def summary(self, cell: Cell, /) -> str:
        """The operations."""
        return cell.arch_id


def algorithms(num: int, /) -> dict[str, Algorithm[Any]]:
    """What is compared, one architecture at a time, as those did whose numbers are known."""
    one = {"num_evaluations": num, "batch_size": 1}
    return {
        "random_search": random_search.make(random_search.RandomSettings(num_evaluations=num, batch_size=10)),
        "local_search": local_search.make(local_search.LocalSettings(**one)),
        "regularized_evolution": regularized_evolution.make(
            regularized_evolution.RegularizedSettings(population_size=10, sample_size=3, **one)
        ),
        "tpe": optuna_search.make(optuna_search.OptunaSettings(num_evaluations=num, batch_size=5)),
    }


def regrets(known: Accuracies, algorithm: Algorithm[Any], /, *, seed: int) -> list[float]:
    """Regret in percentage points after each new cell; that of the start is not counted."""
    problem = Problem(
        space=CellSpace(), price_ms=lambda cell: 1.0, target_latency_ms=1.0, settings=algorithm.settings, seed=seed
    )
    state, seen, course = algorithm.start(problem), {problem.first}, list[float]()
    best, top = 0.0, max(known.values())
    for _ in range(algorithm.max_steps(problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            break
        outcome: Any = Trained(digests=("w",))
        if isinstance(step, Score):
            for subject in step.subjects:
                if subject.architecture not in seen:
                    seen.add(subject.architecture)
                    best = max(best, known[subject.architecture.operations])
                    course.append(top - best)
            assert step.reference is not None
            outcome = Scored(
                estimates=tuple(_estimate(known, subject.architecture) for subject in step.subjects),
                reference=_estimate(known, step.reference.architecture),
            )
        state = algorithm.told(state, step, outcome)
    return course


def _estimate(known: Accuracies, cell: Cell) -> Estimate:
    value = known[cell.operations]
    return Estimate(score=Interval(mean=value, low=value, high=value, num_prompts=1, confidence=0.95))


def table(known: Accuracies, /, *, seeds: int, num: int = max(AT), names: tuple[str, ...] = ()) -> pd.DataFrame:
    """Mean regret after 50, 100 and 200 cells, beside the numbers that are known."""
    rows = []
    for name, algorithm in algorithms(num).items():
        if names and name not in names:
            continue
        courses = [regrets(known, algorithm, seed=seed) for seed in range(seeds)]
        row: dict[str, Any] = {"algorithm": name}
        for index, at in enumerate(n for n in AT if n <= num):
            row[f"regret_{at}"] = float(np.mean([course[min(at, len(course)) - 1] for course in courses]))
            row[f"known_{at}"] = KNOWN[name][index] if name in KNOWN else float("nan")
        rows.append(row)
    return pd.DataFrame(rows)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="of algorithms (default: all)", show_default=False)] = None,
    seeds: Annotated[int, typer.Option(help="searches of each algorithm")] = 100,
) -> None:
    """Regret on NAS-Bench-201 beside the known ones, an algorithm's as soon as it is known: TPE's takes minutes."""
    known, ours = accuracies(), [*algorithms(max(AT))]
    if strangers := sorted({*(names or [])} - {*ours}):
        raise typer.BadParameter(f"there is no algorithm {', '.join(strangers)}; choose among {', '.join(ours)}")
    for number, name in enumerate(names or ours):
        row = table(known, seeds=seeds, names=(name,)).round(3)
        print(row.to_string(index=False, header=number == 0), flush=True)


if __name__ == "__main__":
    run(main)
