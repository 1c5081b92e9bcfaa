"""What a search aims at, from its config: targets in milliseconds, limits by their names, the worst allowed score."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from nas.algorithms.feasibility import fastest
from nas.algorithms.problem import MACS, PARAMS, Limit, Problem
from nas.config.sections import FASTEST, SearchConfig

_ROOM: Final = 1e-9  # relative: the same blocks in another order sum to another last bit


def aimed(problem: Problem[Any], search: SearchConfig, /, *, context_tokens: int) -> Problem[Any]:
    """A problem with the targets and limits that a config asks for.

    Args:
        problem: All but these.
        search: The config.
        context_tokens: Text tokens that cross-attentions read, which multiply-accumulates depend on.

    Raises:
        ValueError: Targets that are the same.
    """
    space, given = problem.space, search.limits
    costs = (
        (PARAMS, "max_params", given.max_params, space.num_params),
        (MACS, "max_macs", given.max_macs, partial(space.num_macs, context_tokens=context_tokens)),  # type: ignore[call-arg]
    )
    *easier, target_ms = sorted(_targets_ms(problem, search), reverse=True)
    return replace(
        problem,
        target_latency_ms=target_ms,
        easier_targets_ms=tuple(easier),
        limits=tuple(
            Limit(name=name, setting=f"search.limits.{setting}", most=most, cost=cost)
            for name, setting, most, cost in costs
            if most is not None
        ),
        worst_score=given.floor,
    )


def _targets_ms(problem: Problem[Any], search: SearchConfig) -> list[float]:
    """The targets in the order given; shares are turned into milliseconds."""
    base_ms = problem.price_ms(problem.space.base)
    if not search.targets:
        return [search.target_latency_ms or (search.target_ratio or 1) * base_ms]
    return [_target_ms(problem, target, base_ms=base_ms) for target in search.targets]


def _target_ms(problem: Problem[Any], target: float | str, *, base_ms: float) -> float:
    if target == FASTEST:
        return problem.price_ms(fastest(problem, problem.first)) * (1 + _ROOM)
    assert isinstance(target, float), "the config's law"
    return target * base_ms if target < 1 else target
