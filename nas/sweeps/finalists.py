"""The best that a search has scored: what a re-ranking begins with."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

from nas.algorithms.problem import Problem
from nas.runs.run import Run
from search_spaces.actions import parse_action
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError

_SCHEMA = 1  # of the genes in a trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalist:
    """An architecture that a search scored.

    Attributes:
        architecture: The architecture.
        round: Of the search, with whose weights it was scored.
        score: Its mean score there.
        num_prompts: Prompts that went into it.
        how: "round" for a round's own architecture, or the action that led to it from there.
    """

    architecture: Architecture
    round: int
    score: float
    num_prompts: int
    how: str


def finalists_of(run: Run, /, *, problem: Problem[object], num: int) -> tuple[Finalist, ...]:
    """The best architectures that a search scored, of those that keep all limits; what it found is one of them.

    Algorithm 1 scores every removal of a round alone: those whose result keeps the limits count as well.

    Args:
        run: The search.
        problem: Its problem.
        num: How many at most.

    Raises:
        UserError: Fewer than two keep the limits.
    """
    sign = 1 if run.higher_is_better else -1
    best: dict[str, Finalist] = {}
    for each in _scored(run, sign=sign):
        known = best.get(each.architecture.arch_id)
        if problem.meets(each.architecture) and (known is None or _key(each) > _key(known)):
            best[each.architecture.arch_id] = each
    order = sorted(best.values(), key=lambda each: (-sign * each.score, each.architecture.arch_id))
    found = run.events[-1].get("arch_id") if run.is_finished else None
    order.sort(key=lambda each: each.architecture.arch_id != found)  # it stays, whatever others score
    if len(order) < 2:
        raise UserError(
            f"a ranking needs two architectures or more, but {run.path} has scored {len(order)} that keep its limits; "
            "search with a looser target, or for longer"
        )
    return tuple(order[:num])


def _key(each: Finalist) -> tuple[int, int]:
    """What tells more of an architecture: more prompts, later weights."""
    return each.num_prompts, each.round


def _scored(run: Run, *, sign: int) -> Iterator[Finalist]:
    own: Architecture | None = None
    mean = 0.0
    for event in run.events:
        if event["event"] != "evaluation":
            continue
        if event["action"] is None:
            if "stages" not in event:
                continue
            own = Architecture.from_dict({"schema_version": _SCHEMA, "stages": event["stages"]})
            mean = event["clip"]["mean"]
            yield Finalist(
                architecture=own,
                round=event["round"],
                score=mean,
                num_prompts=event["clip"]["num_prompts"],
                how="round",
            )
        elif own is not None and isfinite(loss := event["d_clip"]["mean"]):
            yield Finalist(  # paired with the round's own, so that a few prompts do not count as all
                architecture=parse_action(event["action"]).apply(own),
                round=event["round"],
                score=mean - sign * loss,
                num_prompts=event["d_clip"]["num_prompts"],
                how=event["action"],
            )
