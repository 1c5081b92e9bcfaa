"""Architectures to score: drawn at random to the limit, and neighbours one or two edits away. Pure.

Only what the weights know is proposed: blocks of the start may go and blocks of the base may come back, but no copy is
made, since a copy that nobody trains changes nothing but the latency. Every architecture that is given out keeps the
limits, so that nothing is spent on one that could never be the answer.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

import numpy as np

from nas.algorithms.feasibility import allowed_removals
from nas.algorithms.problem import Problem

TRIES: Final = 20  # draws for one that nobody has scored yet, before the space counts as used up


def removals(problem: Problem[Any], architecture: Any, /) -> tuple[Any, ...]:
    """What may go: no protected block, and no copy that the search started with."""
    return allowed_removals(problem, architecture, keep_copies=True)


def returns(problem: Problem[Any], architecture: Any, /) -> tuple[Any, ...]:
    """What may come back: copies that are blocks of the base, sorted."""
    space = problem.space
    return tuple(
        sorted(
            action
            for action in space.copies(architecture)
            if not space.takes_copy(action.inverse, architecture=action.apply(architecture))
        )
    )


def to_limit(problem: Problem[Any], architecture: Any, /, *, rng: np.random.Generator) -> Any:
    """An architecture that keeps the limits: random removals until it does, then random returns that fit.

    One that keeps them already stays as it is. What no removal brings within the limits is given back as far as it
    came.
    """
    if problem.meets(architecture):
        return architecture
    while not problem.meets(architecture):
        options = removals(problem, architecture)
        if not options:
            return architecture
        architecture = options[rng.integers(len(options))].apply(architecture)
    while fitting := [
        back for action in returns(problem, architecture) if problem.meets(back := action.apply(architecture))
    ]:
        architecture = fitting[rng.integers(len(fitting))]
    return architecture


def draw(problem: Problem[Any], /, *, rng: np.random.Generator) -> Any:
    """A random architecture that keeps the limits, at the limit where there is one that binds.

    Where the start keeps the limits itself, they exclude nothing that matters and the space is sampled instead.
    """
    if not problem.meets(problem.first):
        return to_limit(problem, problem.first, rng=rng)
    return to_limit(problem, _without_copies(problem, problem.space.sample(rng)), rng=rng)


def _without_copies(problem: Problem[Any], architecture: Any) -> Any:
    """A sample without copies, and with every protected block."""
    space = problem.space
    while copies := [a for a in space.removals(architecture) if space.takes_copy(a, architecture=architecture)]:
        architecture = copies[0].apply(architecture)
    if problem.protected:
        while gone := [a for a in returns(problem, architecture) if space.touched(a) & problem.protected]:
            architecture = gone[0].apply(architecture)
    return architecture


def mutated(problem: Problem[Any], architecture: Any, /, *, rng: np.random.Generator) -> Any:
    """One or two random edits away, brought within the limits."""
    return to_limit(problem, edited(problem, architecture, rng=rng), rng=rng)


def edited(problem: Problem[Any], architecture: Any, /, *, rng: np.random.Generator) -> Any:
    """One or two random edits away, whatever the limits."""
    for _ in range(1 + rng.integers(2)):
        options = (*removals(problem, architecture), *returns(problem, architecture))
        if options:
            architecture = options[rng.integers(len(options))].apply(architecture)
    return architecture


def neighbours(problem: Problem[Any], architecture: Any, /, *, rng: np.random.Generator) -> Iterator[Any]:
    """Every architecture within the limits that one edit leads to, or an exchange; in random order, none twice.

    A return that the limits forbid comes together with a removal: at a limit that binds, a search lives on these.
    """
    gone = [action.apply(architecture) for action in removals(problem, architecture)]
    edits: list[tuple[Any, Any]] = [(None, after) for after in gone]
    for action in returns(problem, architecture):
        back = action.apply(architecture)
        edits += [(None, back)] if problem.meets(back) else [(action, before) for before in gone]
    seen = {architecture}
    for index in rng.permutation(len(edits)):
        action, found = edits[index]
        if action is not None:
            if problem.space.why_not(action, architecture=found) is not None:
                continue
            found = action.apply(found)
        if found not in seen and problem.meets(found):
            seen.add(found)
            yield found


def unseen(make: Callable[[], Any], /, *, known: Collection[Any], num: int) -> tuple[Any, ...]:
    """Up to `num` different architectures that are not known; fewer where the space seems used up."""
    found: dict[Any, None] = {}
    for _ in range(TRIES * num):
        if len(found) == num:
            break
        architecture = make()
        if architecture not in known:
            found[architecture] = None
    return tuple(found)


def first_unseen(architectures: Iterable[Any], /, *, known: Collection[Any], num: int) -> tuple[Any, ...]:
    """The first `num` different ones that are not known."""
    found: dict[Any, None] = {}
    for architecture in architectures:
        if len(found) == num:
            break
        if architecture not in known:
            found[architecture] = None
    return tuple(found)
