"""Whether a target can be reached at all, before anything is scored: by the fastest architecture of all. Pure."""

from collections.abc import Iterable
from math import ceil
from typing import Any

from nas.algorithms.problem import Problem
from search_spaces.files.user_error import UserError
from search_spaces.search_space import SearchSpace


class InfeasibleTargetError(UserError):
    """The target lies below the fastest architecture that the space and the protected blocks allow."""


def check_protected(space: SearchSpace, protected: Iterable[str], /) -> None:
    """Check that every protected block exists.

    Raises:
        ValueError: Blocks that the model does not have.
    """
    known = space.block_names
    if unknown := sorted(set(protected) - known):
        raise UserError(
            f"`protected` names blocks that the model does not have: {unknown}; choose among {sorted(known)}"
        )


def allowed_removals(problem: Problem[Any], architecture: Any, /, *, keep_copies: bool = False) -> tuple[Any, ...]:
    """The removals that touch no protected block and, if copies are kept, take none away; sorted."""
    space = problem.space
    return tuple(
        sorted(
            action
            for action in space.removals(architecture)
            if not space.touched(action) & problem.protected
            and not (keep_copies and space.takes_copy(action, architecture=architecture))
        )
    )


def fastest(problem: Problem[Any], architecture: Any, /, *, keep_copies: bool = True) -> Any:
    """The fastest architecture that removals can reach: every removal that saves time is executed."""
    price_ms = problem.price_ms
    while True:
        removals = allowed_removals(problem, architecture, keep_copies=keep_copies)
        options = [action.apply(architecture) for action in removals]
        faster = [option for option in options if price_ms(option) < price_ms(architecture)]
        if not faster:
            return architecture
        architecture = min(faster, key=price_ms)


def emptiest(problem: Problem[Any], architecture: Any, /) -> Any:
    """What is left when everything goes that may; no price is asked for."""
    while removals := allowed_removals(problem, architecture, keep_copies=True):
        architecture = removals[0].apply(architecture)
    return architecture


def check_feasible(problem: Problem[Any], /) -> None:
    """Check that the target can be reached at all.

    One price answers that for nearly every target; only a target that the emptiest architecture misses is worth the
    hundreds of prices of the fastest one, each of which may be a measurement.

    Raises:
        InfeasibleTargetError: It cannot; the message says what is the fastest reachable.
    """
    if problem.meets(emptiest(problem, problem.first)):
        return
    quickest, price_ms = fastest(problem, problem.first), problem.price_ms
    if (reachable_ms := price_ms(quickest)) > problem.target_latency_ms:
        base_ms, target_ms = price_ms(problem.space.base), problem.target_latency_ms
        raise InfeasibleTargetError(
            f"the target must be at least {_no_less(reachable_ms)} ms, the fastest reachable "
            f"({problem.space.summary(quickest)}, {len(problem.protected)} protected blocks), or "
            f"{_no_less(reachable_ms / base_ms)} of the base model's {base_ms:.3f} ms, but is {target_ms:.3f} ms or "
            f"{target_ms / base_ms:.3f}; raise `target_latency_ms` or `target_ratio`, whichever was given, or protect "
            "fewer blocks"
        )


def _no_less(value: float) -> str:
    """A number in three decimals that is not smaller than it."""
    return f"{ceil(value * 1000 - 1e-6) / 1000:.3f}"
