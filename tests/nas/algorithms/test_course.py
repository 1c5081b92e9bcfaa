"""The course of a search: settings reach the rounds, and where nothing is left to decide, it recovers and ends."""

from dataclasses import replace

import pytest

from nas.algorithms.course import Course, Rules
from nas.algorithms.evolving import EvolvingSettings, StopReason
from search_spaces import Action, Architecture
from tests.nas.synthetic import shapes_space

SPACE = shapes_space(max_copies=1)
COPY = Action.parse("+cross_attention[up.2,1]")


def num_blocks(architecture: Architecture, /) -> float:
    """A price by which every block takes a millisecond."""
    return float(architecture.num_resnets + architecture.num_cross_attentions)


def rules(*, start: Architecture | None = None, recovers: bool = True, **settings: object) -> Rules:
    wanted = replace(EvolvingSettings(target_latency_ms=30.0), **settings)  # type: ignore[arg-type]
    return Rules(space=SPACE, price_ms=num_blocks, settings=wanted, recovers=recovers, start=start)


@pytest.mark.parametrize("keep_copies", [True, False])
def test_a_copied_block_competes_only_where_copies_are_not_kept(keep_copies: bool) -> None:
    laws = rules(start=COPY.apply(SPACE.base), keep_copies=keep_copies)
    options = Course.of(laws).round(laws).options
    assert (COPY.inverse in options) == (not keep_copies)
    assert len(options) == (37 if keep_copies else 38)


def test_protected_blocks_do_not_compete() -> None:
    laws = rules(protected=frozenset({"resnet[mid,0]"}))
    options = Course.of(laws).round(laws).options
    assert set(SPACE.removals(SPACE.base)) - set(options) == {Action.parse("-resnet[mid,0]")}


@pytest.mark.parametrize("recovers", [True, False])
def test_a_course_with_nothing_to_decide_ends_with_a_recovery_if_there_is_one(recovers: bool) -> None:
    laws = rules(target_latency_ms=100.0, max_copies=0, recovers=recovers)
    course = Course.of(laws)
    only = course.round(laws)
    assert (only.recovering, only.options, only.contest) == (True, (), None)
    proposal, after = course.decide((), laws)
    assert (proposal.stop, after) == (StopReason.CONVERGED, None)
