"""Whether a target can be reached at all, before anything is scored: by the fastest architecture of all. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from math import ceil
from typing import Any

from nas.algorithms.problem import Problem
from search_spaces.files.user_error import UserError
from search_spaces.search_space import SearchSpace


class InfeasibleTargetError(UserError):
    """A limit lies below what the space and the protected blocks allow, or two limits cannot be kept at once."""


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
    """Check that the hardest target and every other limit can be kept at all, and all of them at once.

    One price answers that for nearly every target; only a target that the emptiest architecture misses is worth the
    hundreds of prices of the fastest one, each of which may be a measurement.

    Raises:
        InfeasibleTargetError: They cannot; the message says what is the fastest reachable, or the smallest, or which
            two limits contradict each other.
    """
    least = emptiest(problem, problem.first)
    if problem.meets(least):
        return
    quickest, price_ms = fastest(problem, problem.first), problem.price_ms
    wrong = [
        f"`{limit.setting}` must be at least {limit.cost(least):,.0f}, the least reachable "
        f"({_named(problem, least)}), but is {limit.most:,.0f}"
        for limit in problem.limits
        if limit.cost(least) > limit.most
    ]
    if (reachable_ms := price_ms(quickest)) > problem.target_latency_ms:
        base_ms, target_ms = price_ms(problem.space.base), problem.target_latency_ms
        wrong.append(
            f"the target must be at least {_no_less(reachable_ms)} ms, the fastest reachable "
            f"({_named(problem, quickest)}), or "
            f"{_no_less(reachable_ms / base_ms)} of the base model's {base_ms:.3f} ms, but is {target_ms:.3f} ms or "
            f"{target_ms / base_ms:.3f}"
        )
    if wrong:
        raised = ", ".join(f"`{limit.setting}`" for limit in problem.limits) or "whichever was given"
        raise InfeasibleTargetError(
            f"{'; '.join(wrong)}; raise `target_latency_ms` or `target_ratio`, {raised}, or protect fewer blocks"
        )
    if (contradiction := _contradiction(problem, quickest)) is not None:
        raise InfeasibleTargetError(contradiction)


def nearest(problem: Problem[Any], quickest: Any, /) -> Any:
    """The nearest to keeping all limits: from the fastest architecture, what costs least time for what it saves goes.

    Args:
        problem: The limits.
        quickest: Its `fastest` architecture.
    """
    architecture, price_ms = quickest, problem.price_ms
    while broken := [limit for limit in problem.limits if limit.cost(architecture) > limit.most]:
        now_ms, cost = price_ms(architecture), broken[0].cost
        options = (action.apply(architecture) for action in allowed_removals(problem, architecture, keep_copies=True))
        saved = {option: cost(architecture) - cost(option) for option in options}
        less = {option: (price_ms(option) - now_ms) / save for option, save in saved.items() if save > 0}
        if not less:  # what is left adds to nothing of it
            break
        architecture = min(less, key=less.__getitem__)
    return architecture


def _contradiction(problem: Problem[Any], quickest: Any) -> str | None:
    """Which two limits contradict each other, although each can be kept alone; None where all can be kept."""
    architecture = nearest(problem, quickest)
    if problem.meets(architecture):
        return None
    pairs = (replace(problem, limits=(limit,)) for limit in problem.limits)  # the target and one further limit
    at_odds = next((pair for pair in pairs if not pair.meets(nearest(pair, quickest))), problem)
    named = [f"the target of {problem.target_latency_ms:.3f} ms"]
    named += [f"`{limit.setting}` ({limit.most:,.0f})" for limit in at_odds.limits]
    return (
        f"{', '.join(named[:-1])} and {named[-1]} contradict each other: each can be kept, but no architecture was "
        f"found that keeps {'both' if len(named) == 2 else 'all'}; the nearest ({_named(problem, architecture)}) takes "
        f"{problem.price_ms(architecture):.3f} ms with "
        + ", ".join(f"{limit.cost(architecture):,.0f} {limit.name}" for limit in problem.limits)
        + "; raise one of them"
    )


def _named(problem: Problem[Any], architecture: Any) -> str:
    """An architecture in words, with its digest."""
    return (
        f"{problem.space.summary(architecture)}, architecture {architecture.arch_id}, {len(problem.protected)} "
        "protected blocks"
    )


def _no_less(value: float) -> str:
    """A number in three decimals that is not smaller than it."""
    return f"{ceil(value * 1000 - 1e-6) / 1000:.3f}"
