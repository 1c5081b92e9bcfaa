"""Uniform thinning: every so many-th block goes, whatever it does. Pure.

With numbers spread evenly over the edits in their order, kind by kind and stage by stage, every part of the network is
thinned alike. The phase of the spread is what there is to choose.
"""

from collections.abc import Iterator
from typing import Any

from nas.algorithms.one_shot.genes import Genes
from nas.algorithms.problem import Problem


def thinned(problem: Problem[Any], architecture: Any, /, *, phase: float = 0.0) -> Any | None:
    """The least uniform thinning of an architecture that keeps the limits; None where none does.

    Args:
        problem: Limits and protected blocks.
        architecture: What is thinned.
        phase: Where the spread begins, from 0 to 1.
    """
    genes = Genes.of(problem)
    left = [most - level for most, level in zip(genes.most, genes.levels(architecture), strict=True)]
    there = [edit for edit, num in enumerate(left) for _ in range(num)]
    for num in range(len(there) + 1):
        levels = list(genes.levels(architecture))
        for index in {int((k + phase) * len(there) / num) for k in range(num)}:
            levels[there[index]] += 1
        found = genes.architecture(levels)
        if problem.meets(found):
            return found
    return None


def spread(problem: Problem[Any], architecture: Any, /, *, num: int) -> Iterator[Any]:
    """Thinnings of an architecture with several phases."""
    for index in range(num):
        if (found := thinned(problem, architecture, phase=index / num)) is not None:
            yield found
