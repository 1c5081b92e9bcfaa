"""Searches of the bundled model's full space with real scores: what each scored, in order, and the fronts of that."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.asking import Asking
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.one_shot import knapsack, local_search, optuna_search, random_search, regularized_evolution
from nas.algorithms.one_shot.layouts import handpicked, uniform
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Train
from search_spaces.architecture import Architecture
from search_spaces.search_space import SearchSpace

TARGETS: Final = (0.85, 0.75, 0.65)  # shares of the base's latency, which every search aims at in turn
BATCH: Final = 4
WITHOUT_SEED: Final = frozenset({"evolving", "uniform", "handpicked"})  # nothing in them is drawn
FRONT: Final = "NSGA-II, front"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An architecture when a search first scored it.

    Attributes:
        architecture: The architecture.
        share: Its latency as a share of the base's.
        scores: By caption, on those that the search sees.
    """

    architecture: Architecture
    share: float
    scores: tuple[float, ...]

    @property
    def score(self) -> float:
        """What the search goes by: the mean."""
        return sum(self.scores) / len(self.scores)


def compared(num: int, num_removals: int, /) -> dict[str, Algorithm[Any]]:
    """Every algorithm with as many scorings; the knapsack's single removals are among them.

    Args:
        num: Scorings of each search, the base aside.
        num_removals: Of the base.
    """
    some: dict[str, Any] = {"num_evaluations": num, "batch_size": BATCH}
    rest = max(num - num_removals, 1)
    nsga2: dict[str, Any] = {"sampler": optuna_search.Sampler.NSGA2, "objective": optuna_search.Objective.FRONT}
    return {
        "local_search": local_search.make(local_search.LocalSettings(**some)),
        "random_search": random_search.make(random_search.RandomSettings(**some)),
        "knapsack": knapsack.make(knapsack.KnapsackSettings(num_evaluations=rest, batch_size=BATCH, num_checks=3)),
        "regularized_evolution": regularized_evolution.make(
            regularized_evolution.RegularizedSettings(population_size=16, sample_size=4, **some)
        ),
        "TPE": optuna_search.make(optuna_search.OptunaSettings(**some)),
        FRONT: optuna_search.make(optuna_search.OptunaSettings(population_size=16, **nsga2, **some)),
        "evolving": ArchitectureEvolving(EvolvingSettings(removals_per_round=8, max_copies=0)),
        "uniform": uniform.make(uniform.UniformSettings()),
        "handpicked": handpicked.make(handpicked.HandpickedSettings()),
    }


def problem_of(
    space: SearchSpace, price_ms: Callable[[Any], float], algorithm: Algorithm[Any], /, *, name: str, seed: int
) -> Problem[Any]:
    """All targets in turn; what searches for a front has the easiest as its limit, since the rest lies below."""
    base_ms = price_ms(space.base)
    *easier, hardest = (TARGETS[0],) if name == FRONT else TARGETS
    return Problem(
        space=space,
        price_ms=price_ms,
        target_latency_ms=hardest * base_ms,
        easier_targets_ms=tuple(share * base_ms for share in easier),
        settings=algorithm.settings,
        seed=seed,
    )


def searched(
    problem: Problem[Any],
    algorithm: Algorithm[Any],
    /,
    *,
    scores_of: Callable[[tuple[Architecture, ...]], Mapping[Architecture, tuple[float, ...]]],
) -> tuple[Seen, ...]:
    """Everything that a search scores, each once, the base first."""
    asking, seen = Asking(algorithm, problem=problem), dict[Any, Seen]()
    base_ms = problem.price_ms(problem.first)
    while not asking.is_finished:
        if isinstance(asking.ask(), Train):
            asking.tell_trained()
            continue
        scores = scores_of(asking.architectures)
        for each in asking.architectures:
            share = problem.price_ms(each) / base_ms
            seen.setdefault(each, Seen(architecture=each, share=share, scores=scores[each]))
        asking.tell(scores)
    return tuple(seen.values())


def front(seen: Iterable[Seen], /) -> tuple[Seen, ...]:
    """What nothing beats in latency and mean score, the quickest first."""
    kept: list[Seen] = []
    for each in sorted(seen, key=lambda each: (each.share, -each.score)):
        if not kept or each.score > kept[-1].score:
            kept.append(each)
    return tuple(kept)


def best_within(seen: Iterable[Seen], share: float, /) -> Seen:
    """The best mean score of what takes no more than a share of the base's latency."""
    return max(takewhile(lambda each: each.share <= share, front(seen)), key=lambda each: each.score)
