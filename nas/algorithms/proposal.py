"""One round of Algorithm 1: which removals are scored, what their scores must tell, and what is then executed. Pure.

While the latency objective is not met, remove the blocks whose loss is cheapest; once it is, copy the block that is
most valuable (SnapFusion, arXiv 2306.00980, section 3.2).
What the paper leaves open is a setting of `EvolvingSettings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from nas.algorithms.feasibility import allowed_removals
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Contest, StopReason
from nas.algorithms.value_score import ScoredAction
from search_spaces.actions import Sign
from search_spaces.search_space import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a round decides: actions to execute, or the reason to stop."""

    actions: tuple[Any, ...] = ()
    stop: StopReason | None = None


def candidates(problem: Problem[EvolvingSettings], architecture: Any, /) -> tuple[Any, ...]:
    """The removals that a round scores: all that can be executed and touch no protected block and no kept copy."""
    return allowed_removals(problem, architecture, keep_copies=problem.settings.keep_copies)


def contest(problem: Problem[EvolvingSettings], architecture: Any, /, *, options: Sequence[Any]) -> Contest:
    """What `propose` is going to ask of the scores of a round.

    Args:
        problem: The problem.
        architecture: The current one.
        options: Its `candidates`, by whose indices the contest names its contestants.
    """
    price_ms, num_removals = problem.price_ms, problem.settings.removals_per_round
    now_ms = price_ms(architecture)
    saved_ms = {index: now_ms - price_ms(action.apply(architecture)) for index, action in enumerate(options)}
    useful = {index: ms for index, ms in saved_ms.items() if ms > 0}
    if now_ms > problem.target_latency_ms:
        quickest = sorted(useful.values(), reverse=True)[: num_removals - 1]
        # A group may end early because the target is met: then the order among its members matters.
        ordered = sum(quickest) >= now_ms - problem.target_latency_ms
        return Contest(
            saved_ms=useful,
            num=num_removals,
            ordered=ordered,
            value=problem.settings.value_rule,
            needed_ms=now_ms - problem.target_latency_ms,
            excludes=_excluding(problem, architecture, {index: options[index] for index in useful}),
        )
    copyable = {
        index: ms for index, ms in useful.items() if _can_be_copied(problem, architecture, options[index].inverse)
    }
    return Contest(saved_ms=copyable, num=1, highest=True, value=problem.settings.value_rule)


def _excluding(
    problem: Problem[EvolvingSettings], architecture: Any, options: Mapping[int, Any]
) -> frozenset[tuple[int, int]]:
    """Pairs of removals of which either, once executed, forbids the other."""
    after = {index: action.apply(architecture) for index, action in options.items()}
    return frozenset(
        (one, other)
        for one, other in combinations(options, 2)
        if problem.space.why_not(options[other], architecture=after[one]) is not None
        or problem.space.why_not(options[one], architecture=after[other]) is not None
    )


def propose(
    problem: Problem[EvolvingSettings],
    architecture: Any,
    /,
    *,
    ranking: Sequence[ScoredAction],
    num_rounds: int,
    num_copies: int,
) -> Proposal:
    """What a round executes.

    Args:
        problem: The problem.
        architecture: The current one.
        ranking: Its scored removals, cheapest loss first.
        num_rounds: Rounds finished before this one.
        num_copies: A+ executed before this one.
    """
    if not problem.meets(architecture):
        if num_rounds >= problem.settings.max_rounds:
            return Proposal(stop=StopReason.BUDGET_SPENT)
        group = _removals(problem, architecture, ranking)
        return Proposal(actions=group) if group else Proposal(stop=StopReason.INFEASIBLE)
    if num_copies >= problem.settings.max_copies:
        return Proposal(stop=StopReason.CONVERGED)
    if num_rounds >= problem.settings.max_rounds:
        return Proposal(stop=StopReason.BUDGET_SPENT)
    copy = _copy(problem, architecture, ranking)
    return Proposal(actions=(copy,)) if copy is not None else Proposal(stop=StopReason.CONVERGED)


def _removals(
    problem: Problem[EvolvingSettings], architecture: Any, ranking: Sequence[ScoredAction]
) -> tuple[Edit, ...]:
    group: list[Edit] = []
    for scored in ranking:
        if len(group) == problem.settings.removals_per_round or problem.meets(architecture):
            break
        # Compound removals may share a block: what an earlier one of the group took, a later one cannot.
        if scored.d_latency_ms > 0 and problem.space.why_not(scored.action, architecture=architecture) is None:
            group.append(scored.action)
            architecture = scored.action.apply(architecture)
    return tuple(group)


def _copy(problem: Problem[EvolvingSettings], architecture: Any, ranking: Sequence[ScoredAction]) -> Edit | None:
    """The copy of the most valuable block that can be copied and, unless overshooting is allowed, still fits."""
    for scored in reversed(ranking):
        copy = scored.action.inverse
        if scored.loss > 0 and scored.d_latency_ms > 0 and _can_be_copied(problem, architecture, copy):
            return copy
    return None


def _can_be_copied(problem: Problem[EvolvingSettings], architecture: Any, copy: Any) -> bool:
    assert copy.sign is Sign.COPY
    if problem.space.why_not(copy, architecture=architecture) is not None:
        return False
    return problem.settings.overshoot or problem.meets(copy.apply(architecture))
